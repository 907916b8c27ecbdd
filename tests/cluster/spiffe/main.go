// Program spiffe is an application that speaks SPIFFE by the field's own library. Each answer is a line of JSON.
//
//	spiffe mtls SOCKET ID...       calls itself by mTLS at each line that it reads, where its peer has to be that ID
//	spiffe tokens SOCKET AUDIENCE  has a token, validates it by the keys that it is told, and has it validated
//	spiffe peers SOCKET AUDIENCE   says who they are whose chain and token it reads, by what it is told and by asking
//	spiffe follow SOCKET           tells at each change whom it trusts
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

type object = map[string]any

func main() {
	address := workloadapi.WithAddr("unix://" + os.Args[2])
	does := map[string]func(context.Context, workloadapi.ClientOption, []string) error{
		"mtls": mtls, "tokens": tokens, "peers": peers, "follow": follow,
	}
	if err := does[os.Args[1]](context.Background(), address, os.Args[3:]); err != nil {
		say(object{"error": err.Error()})
	}
}

func say(what object) {
	if err := json.NewEncoder(os.Stdout).Encode(what); err != nil {
		panic(err)
	}
}

func mtls(ctx context.Context, address workloadapi.ClientOption, ids []string) error {
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(address))
	if err != nil {
		return err
	}
	defer source.Close()
	config := tlsconfig.MTLSServerConfig(source, source, tlsconfig.AuthorizeAny())
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return err
	}
	defer listener.Close()
	go serve(listener)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer := object{}
		for _, text := range ids {
			wanted, err := spiffeid.FromString(text)
			if err != nil {
				return err
			}
			config := tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(wanted))
			answer[text] = met(listener.Addr().String(), config)
		}
		held, err := source.GetX509SVID()
		if err != nil {
			return err
		}
		answer["serial"] = held.Certificates[0].SerialNumber.Text(16)
		say(answer)
	}
	return nil
}

// serve tells each peer who it is.
func serve(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		// What fails is the client's to tell.
		inner := connection.(*tls.Conn)
		if err := inner.Handshake(); err == nil {
			peer, _ := x509svid.IDFromCert(inner.ConnectionState().PeerCertificates[0])
			fmt.Fprint(connection, peer)
		}
		connection.Close()
	}
}

// met is who the server at address says the caller is, or why there was none.
func met(address string, config *tls.Config) string {
	connection, err := tls.Dial("tcp", address, config)
	if err != nil {
		return err.Error()
	}
	defer connection.Close()
	said, err := io.ReadAll(connection)
	if err != nil {
		return err.Error()
	}
	return string(said)
}

func tokens(ctx context.Context, address workloadapi.ClientOption, arguments []string) error {
	source, err := workloadapi.NewJWTSource(ctx, workloadapi.WithClientOptions(address))
	if err != nil {
		return err
	}
	defer source.Close()
	audience := arguments[0]
	token, err := source.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience})
	if err != nil {
		return err
	}
	itself, err := jwtsvid.ParseAndValidate(token.Marshal(), source, []string{audience})
	if err != nil {
		return err
	}
	asked, err := workloadapi.ValidateJWTSVID(ctx, token.Marshal(), audience, address)
	if err != nil {
		return err
	}
	_, refused := workloadapi.ValidateJWTSVID(ctx, token.Marshal(), "another", address)
	say(object{"id": token.ID.String(), "itself": itself.ID.String(), "asked": asked.ID.String(), "another": fmt.Sprint(refused)})
	return nil
}

type peer struct{ Chain, Token string }

func peers(ctx context.Context, address workloadapi.ClientOption, arguments []string) error {
	source, err := workloadapi.NewBundleSource(ctx, workloadapi.WithClientOptions(address))
	if err != nil {
		return err
	}
	defer source.Close()
	audience := arguments[0]
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var each peer
		if err := json.Unmarshal(lines.Bytes(), &each); err != nil {
			return err
		}
		answer := object{"chain": verified(each.Chain, source)}
		if token, err := jwtsvid.ParseAndValidate(each.Token, source, []string{audience}); err != nil {
			answer["token"] = err.Error()
		} else {
			answer["token"] = token.ID.String()
		}
		if token, err := workloadapi.ValidateJWTSVID(ctx, each.Token, audience, address); err != nil {
			answer["asked"] = err.Error()
		} else {
			answer["asked"] = token.ID.String()
		}
		say(answer)
	}
	return nil
}

// verified is whose chain (PEM) it is, or why nobody's.
func verified(chain string, source x509bundle.Source) string {
	var der [][]byte
	for block, rest := pem.Decode([]byte(chain)); block != nil; block, rest = pem.Decode(rest) {
		der = append(der, block.Bytes)
	}
	id, _, err := x509svid.ParseAndVerify(der, source)
	if err != nil {
		return err.Error()
	}
	return id.String()
}

func follow(ctx context.Context, address workloadapi.ClientOption, _ []string) error {
	return workloadapi.WatchX509Bundles(ctx, watcher{}, address)
}

type watcher struct{}

func (watcher) OnX509BundlesUpdate(bundles *x509bundle.Set) {
	roots := object{}
	for _, each := range bundles.Bundles() {
		roots[each.TrustDomain().String()] = len(each.X509Authorities())
	}
	say(object{"roots": roots})
}

func (watcher) OnX509BundlesWatchError(err error) {
	say(object{"error": err.Error()})
}
