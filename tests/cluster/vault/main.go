// Program vault serves Vault's own PKI engine and its own auth method for Kubernetes over HTTPS, as far as a client sees
// of Vault: paths, tokens, statuses and error bodies. The whole of Vault takes a quarter of an hour to build.
//
// It is set up as Vault is, by the same paths and with the token "root". A login's token may have an intermediate signed,
// as policies allow it, where its role has the policy "proa-issuer". A namespace is what X-Vault-Namespace says. PUT
// /v1/sys/seal closes it, PUT /v1/sys/unseal opens it again.
//
// GET /v1/proa-test/tokens counts the tokens that are alive.
//
// The API server of its tokens' cluster is this program as well (TokenReview): what it believes, Vault has verified by
// the key it was configured with.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-uuid"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	"github.com/hashicorp/vault/builtin/logical/pki"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
)

const (
	root      = "root"
	policy    = "proa-issuer"
	namespace = "team"
	// What every mount of Vault's has, and what this one is tuned to.
	defaultTTL = 32 * 24 * time.Hour
	maxTTL     = 10 * 365 * 24 * time.Hour
)

var allowed = regexp.MustCompile(`^pki/issuer/[^/]+/sign-intermediate$`)

type mount struct {
	backend logical.Backend
	storage logical.Storage
}

type vault struct {
	mounts map[string]mount
	mutex  sync.Mutex
	sealed bool
	tokens map[string]grant
}

// grant is what a token is good for: where, and whether it may have an intermediate signed.
type grant struct {
	namespace string
	signs     bool
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: vault CERTIFICATE KEY")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

func run(certificate, key string) error {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	served := &vault{mounts: map[string]mount{}, tokens: map[string]grant{}}
	for _, within := range []string{"", namespace + "/"} {
		if err := served.mount(within+"pki/", pki.Factory); err != nil {
			return err
		}
		if err := served.mount(within+"auth/kubernetes/", kubernetes.Factory); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	handler := http.NewServeMux()
	handler.HandleFunc("/v1/", served.serve)
	handler.HandleFunc("POST /apis/authentication.k8s.io/v1/tokenreviews", review)
	go func() {
		// Whoever started this may die without a word: nothing is left running then.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := &http.Server{Handler: handler, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}}
	return server.ServeTLS(listener, "", "")
}

func (v *vault) mount(path string, factory logical.Factory) error {
	id, err := uuid.GenerateUUID()
	if err != nil {
		return err
	}
	storage := &logical.InmemStorage{}
	backend, err := factory(context.Background(), &logical.BackendConfig{
		Logger:      hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr}),
		System:      logical.StaticSystemView{DefaultLeaseTTLVal: defaultTTL, MaxLeaseTTLVal: maxTTL},
		StorageView: storage,
		Config:      map[string]string{},
		BackendUUID: id,
	})
	if err != nil {
		return err
	}
	v.mounts[path] = mount{backend, storage}
	return backend.Initialize(context.Background(), &logical.InitializationRequest{Storage: storage})
}

func (v *vault) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		logical.RespondError(w, http.StatusBadRequest, err)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	v.mutex.Lock()
	defer v.mutex.Unlock()
	switch {
	case path == "sys/seal" || path == "sys/unseal":
		v.sealed = path == "sys/seal"
		w.WriteHeader(http.StatusNoContent)
	case v.sealed:
		logical.RespondError(w, http.StatusServiceUnavailable, consts.ErrSealed)
	case path == "auth/token/revoke-self":
		delete(v.tokens, r.Header.Get("X-Vault-Token"))
		w.WriteHeader(http.StatusNoContent)
	case path == "proa-test/tokens":
		answer(w, map[string]any{"data": map[string]any{"alive": len(v.tokens)}})
	default:
		v.route(w, r, path, body)
	}
}

func (v *vault) route(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	within := namespaceOf(r)
	login := strings.HasPrefix(path, "auth/") && strings.HasSuffix(path, "/login")
	if !login && !v.permits(r.Header.Get("X-Vault-Token"), within, path) {
		logical.RespondError(w, http.StatusForbidden, logical.ErrPermissionDenied)
		return
	}
	for prefix, mounted := range v.mounts {
		if below, found := strings.CutPrefix(within+path, prefix); found {
			v.ask(w, r, mounted, below, body)
			return
		}
	}
	if login {
		// Vault does not tell those who are not logged in what is mounted.
		logical.RespondError(w, http.StatusForbidden, logical.ErrPermissionDenied)
		return
	}
	logical.RespondError(w, http.StatusNotFound, fmt.Errorf("no handler for route %q. route entry not found.", path))
}

// permits says whether token may have path; a token of one namespace is none of another.
func (v *vault) permits(token, within, path string) bool {
	if token == root {
		return true
	}
	known, found := v.tokens[token]
	return found && known.signs && known.namespace == within && allowed.MatchString(path)
}

// namespaceOf is the prefix of what is mounted there.
func namespaceOf(r *http.Request) string {
	if within := strings.Trim(r.Header.Get("X-Vault-Namespace"), "/"); within != "" {
		return within + "/"
	}
	return ""
}

func (v *vault) ask(w http.ResponseWriter, r *http.Request, mounted mount, path string, body []byte) {
	asked := &logical.Request{Operation: logical.ReadOperation, Path: path, Storage: mounted.storage, Data: map[string]any{}}
	asked.Connection = &logical.Connection{RemoteAddr: "127.0.0.1"}
	if r.Method != http.MethodGet {
		asked.Operation = logical.UpdateOperation
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(&asked.Data); err != nil && !errors.Is(err, io.EOF) {
			logical.RespondError(w, http.StatusBadRequest, err)
			return
		}
		if exists, found, err := mounted.backend.HandleExistenceCheck(r.Context(), asked); err == nil && exists && !found {
			asked.Operation = logical.CreateOperation
		}
	}
	said, err := mounted.backend.HandleRequest(r.Context(), asked)
	if status, failed := logical.RespondErrorCommon(asked, said, err); failed != nil || status != 0 {
		logical.RespondError(w, status, failed)
		return
	}
	if said == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if said.Auth != nil {
		token, err := uuid.GenerateUUID()
		if err != nil {
			logical.RespondError(w, http.StatusInternalServerError, err)
			return
		}
		said.Auth.ClientToken = "hvs." + token
		v.tokens[said.Auth.ClientToken] = grant{namespaceOf(r), slices.Contains(said.Auth.Policies, policy)}
	}
	answer(w, logical.LogicalResponseToHTTPResponse(said))
}

func answer(w http.ResponseWriter, body any) {
	if err := json.NewEncoder(w).Encode(body); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
	}
}
