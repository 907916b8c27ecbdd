// Bad tokens by Istio's protocol, at a rate that does not wait for answers, over many connections.
//
// Prints one JSON line at the end: how many calls a second were due, begun, answered, given up, and dropped because all
// streams that the server allows were taken, or no connection was to be had.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const method = "/istio.v1.auth.IstioCertificateService/CreateCertificate"

var (
	address     = flag.String("address", "", "host:port of the door")
	name        = flag.String("name", "", "the name in its certificate")
	roots       = flag.String("roots", "", "file of the roots it comes from")
	request     = flag.String("request", "", "file of the message to send")
	rate        = flag.Int("rate", 10000, "calls a second")
	connections = flag.Int("connections", 32, "at once, of each source")
	first       = flag.Int("first", 2, "the first address to come from: 127.0.0.FIRST")
	sources     = flag.Int("sources", 1, "how many of them")
	streams     = flag.Int("streams", 16, "calls at once of a connection")
	patience    = flag.Duration("patience", 0, "after which a call is given up; 0 waits for its answer")
	seconds     = flag.Duration("for", 10*time.Second, "how long")
)

var due, begun, answered, givenUp, failed, dropped, number atomic.Int64

func main() {
	flag.Parse()
	pem, err := os.ReadFile(*roots)
	must(err)
	message, err := os.ReadFile(*request)
	must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	body = append(body, message...)
	jobs := make(chan struct{}, *rate/10)
	var workers sync.WaitGroup
	for source := range *sources {
		for range *connections {
			client := &http.Client{Transport: transport(source, pool)}
			for range *streams {
				workers.Add(1)
				go func() {
					defer workers.Done()
					for range jobs {
						call(client, body)
					}
				}()
			}
		}
	}
	began := time.Now()
	pace(jobs, began)
	close(jobs)
	took := time.Since(began).Seconds()
	per := func(count *atomic.Int64) int64 { return int64(float64(count.Load()) / took) }
	line, err := json.Marshal(map[string]int64{
		"due": per(&due), "begun": per(&begun), "answered": per(&answered), "given_up": per(&givenUp),
		"failed": per(&failed), "dropped": per(&dropped),
	})
	must(err)
	fmt.Println(string(line))
}

// pace makes what is due every millisecond, and drops what finds no free stream and no room to wait.
func pace(jobs chan<- struct{}, began time.Time) {
	for made := 0; ; time.Sleep(time.Millisecond) {
		passed := time.Since(began)
		if passed >= *seconds {
			return
		}
		for ; made < int(passed.Seconds()*float64(*rate)); made++ {
			due.Add(1)
			select {
			case jobs <- struct{}{}:
			default:
				dropped.Add(1)
			}
		}
	}
}

// transport is one connection from a source of its own.
func transport(source int, pool *x509.CertPool) *http.Transport {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(*first+source))}
	dialer := &net.Dialer{LocalAddr: from, Timeout: 5 * time.Second}
	return &http.Transport{
		DialContext:       dialer.DialContext,
		TLSClientConfig:   &tls.Config{RootCAs: pool, ServerName: *name},
		ForceAttemptHTTP2: true,
		MaxConnsPerHost:   1,
	}
}

func call(client *http.Client, body []byte) {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if *patience > 0 {
		ctx, cancel = context.WithTimeout(ctx, *patience)
	}
	defer cancel()
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+*address+method, bytes.NewReader(body))
	must(err)
	post.Header.Set("Content-Type", "application/grpc")
	post.Header.Set("Te", "trailers")
	post.Header.Set("Authorization", "Bearer "+token(number.Add(1)))
	begun.Add(1)
	answer, err := client.Do(post)
	if err != nil {
		if ctx.Err() != nil {
			givenUp.Add(1)
		} else {
			failed.Add(1)
			time.Sleep(10 * time.Millisecond)
		}
		return
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		givenUp.Add(1)
		return
	}
	status := answer.Trailer.Get("Grpc-Status") + answer.Header.Get("Grpc-Status")
	if status == "0" {
		panic("a bad token was taken")
	}
	answered.Add(1)
}

// token is well made, different each time, and nobody's.
func token(number int64) string {
	claims := fmt.Sprintf(`{"aud":["istio-ca"],"exp":%d,"kubernetes.io":{"pod":{"name":"bad"}}}`, time.Now().Unix()+3600)
	return fmt.Sprintf("e30.%s.forged-%d", base64.RawURLEncoding.EncodeToString([]byte(claims)), number)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
