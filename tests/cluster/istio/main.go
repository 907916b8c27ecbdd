// Command istio asks for a certificate as Istio's agent does, by Istio's own stubs: with a token, and then with the
// certificate that it was given. It prints what came of each as a JSON object.
//
//	istio TOKEN-ADDRESS CERTIFICATE-ADDRESS SERVER-NAME ROOTS-FILE TOKEN-FILE
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
	"istio.io/api/security/v1alpha1"
)

type client struct {
	server string
	roots  *x509.CertPool
	csr    string
	key    *ecdsa.PrivateKey
}

func main() {
	tokens, certificates, server := os.Args[1], os.Args[2], os.Args[3]
	roots, key := x509.NewCertPool(), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	if !roots.AppendCertsFromPEM(must(os.ReadFile(os.Args[4]))) {
		log.Fatal("no roots")
	}
	request := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))
	csr := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}))
	asking := client{server: server, roots: roots, csr: csr, key: key}
	token := string(must(os.ReadFile(os.Args[5])))
	chain, first := asking.ask(tokens, token, nil)
	_, renewed := asking.ask(certificates, "", chain)
	_, stranger := asking.ask(tokens, token+"x", nil)
	found := map[string]string{"token": first, "certificate": renewed, "forged": stranger}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		log.Fatal(err)
	}
}

// ask returns the chain without its root, and the identity that it proves by Go's verifier, or gRPC's code.
func (c client) ask(address, token string, holding [][]byte) ([][]byte, string) {
	config := &tls.Config{RootCAs: c.roots, ServerName: c.server, MinVersion: tls.VersionTLS12}
	if holding != nil {
		config.Certificates = []tls.Certificate{{Certificate: holding, PrivateKey: c.key}}
	}
	connection := must(grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(config))))
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "ClusterID", "Kubernetes")
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	about := must(structpb.NewStruct(map[string]any{"CertSigner": ""}))
	request := &v1alpha1.IstioCertificateRequest{Csr: c.csr, ValidityDuration: 3600, Metadata: about}
	answer, err := v1alpha1.NewIstioCertificateServiceClient(connection).CreateCertificate(ctx, request)
	if err != nil {
		return nil, status.Code(err).String()
	}
	return c.proven(answer.CertChain)
}

func (c client) proven(texts []string) ([][]byte, string) {
	var chain [][]byte
	var found []*x509.Certificate
	for _, text := range texts[:len(texts)-1] {
		block, _ := pem.Decode([]byte(text))
		chain = append(chain, block.Bytes)
		found = append(found, must(x509.ParseCertificate(block.Bytes)))
	}
	above := x509.NewCertPool()
	for _, each := range found[1:] {
		above.AddCert(each)
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	must(found[0].Verify(x509.VerifyOptions{Roots: c.roots, Intermediates: above, KeyUsages: usages}))
	return chain, found[0].URIs[0].String()
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
