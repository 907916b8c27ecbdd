// Program verify gives Go's own opinion of certificate chains, one JSON object a line: "ok", or why not.
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"time"
)

type question struct {
	Chain, Roots, Usage, Name string
	Time                      time.Time
}

var usages = map[string]x509.ExtKeyUsage{"client": x509.ExtKeyUsageClientAuth, "server": x509.ExtKeyUsageServerAuth}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := answer(lines.Bytes()); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("ok")
		}
	}
}

func answer(line []byte) error {
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return err
	}
	chain, err := certificates(asked.Chain)
	if err != nil {
		return err
	}
	roots, above := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(asked.Roots)) {
		return fmt.Errorf("no root")
	}
	for _, each := range chain[1:] {
		above.AddCert(each)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: above, CurrentTime: asked.Time, DNSName: asked.Name,
		KeyUsages: []x509.ExtKeyUsage{usages[asked.Usage]},
	})
	return err
}

func certificates(text string) (found []*x509.Certificate, err error) {
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found = append(found, certificate)
	}
	if found == nil {
		return nil, fmt.Errorf("no certificate")
	}
	return found, nil
}
