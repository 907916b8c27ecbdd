// Program peer is both ends of a test's connection.
//
// "peer serve" answers every kind of probe, and says no to all of them while the file /tmp/sick exists: HTTP on 8080,
// HTTPS on 8443, gRPC on 9000 (grpc.health.v1, for the service "app" and for none), TCP on 7000. "peer get URL" prints
// a page, which tells whose it is, what was asked for and from where (a static busybox cannot resolve names).
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

func sick() bool {
	_, err := os.Stat("/tmp/sick")
	return err == nil
}

func page(w http.ResponseWriter, r *http.Request) {
	name, _ := os.Hostname()
	if r.URL.Path == "/healthz" && sick() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintf(w, "%s %s %s %s\n", name, r.Host, r.URL.Path, r.RemoteAddr)
}

// check is grpc.health.v1.Health/Check, by hand: a message of one field each way, in a frame of five bytes and its own.
func check(w http.ResponseWriter, r *http.Request) {
	request, _ := io.ReadAll(r.Body)
	status := "0"
	if asked := strings.TrimLeft(string(request[min(5, len(request)):]), "\x0a\x03"); asked != "" && asked != "app" {
		status = "5" // NOT_FOUND
	}
	health := byte(1) // SERVING
	if sick() {
		health = 2
	}
	w.Header().Set("Content-Type", "application/grpc")
	if status == "0" {
		w.Write([]byte{0, 0, 0, 0, 2, 0x08, health})
	}
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", status)
}

// accept refuses connections while the program is sick: it listens no longer.
func accept(address string) {
	for ; ; time.Sleep(100 * time.Millisecond) {
		if sick() {
			continue
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			log.Fatal(err)
		}
		for !sick() {
			listener.(*net.TCPListener).SetDeadline(time.Now().Add(100 * time.Millisecond))
			if connection, err := listener.Accept(); err == nil {
				connection.Close()
			}
		}
		listener.Close()
	}
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func serve() {
	pages := http.HandlerFunc(page)
	secure := &http.Server{Addr: ":8443", Handler: pages}
	secure.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate()}}
	health := &http.Server{Addr: ":9000", Handler: http.HandlerFunc(check), Protocols: new(http.Protocols)}
	health.Protocols.SetUnencryptedHTTP2(true)
	go accept(":7000")
	go func() { log.Fatal(secure.ListenAndServeTLS("", "")) }()
	go func() { log.Fatal(health.ListenAndServe()) }()
	log.Fatal((&http.Server{Addr: ":8080", Handler: pages}).ListenAndServe())
}

func get(url string) {
	response, err := (&http.Client{Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(os.Stdout, response.Body); err != nil || response.StatusCode != http.StatusOK {
		log.Fatal(response.Status, err)
	}
}

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		serve()
	case len(os.Args) == 3 && os.Args[1] == "get":
		get(os.Args[2])
	default:
		log.Fatal("usage: peer serve | peer get URL")
	}
}
