package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// review is Kubernetes' TokenReview: the token's own claims, for the audiences it was made for.
func review(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Spec struct{ Token string } `json:"spec"`
	}
	var claims struct {
		Subject  string   `json:"sub"`
		Audience []string `json:"aud"`
		Cluster  struct {
			Account struct{ UID string } `json:"serviceaccount"`
		} `json:"kubernetes.io"`
	}
	err := json.NewDecoder(r.Body).Decode(&asked)
	parts := strings.Split(asked.Spec.Token, ".")
	if err == nil && len(parts) == 3 {
		var decoded []byte
		if decoded, err = base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			err = json.Unmarshal(decoded, &claims)
		}
	}
	w.WriteHeader(http.StatusCreated)
	answer(w, map[string]any{
		"apiVersion": "authentication.k8s.io/v1",
		"kind":       "TokenReview",
		"status": map[string]any{
			"authenticated": err == nil,
			"audiences":     claims.Audience,
			"user":          map[string]any{"username": claims.Subject, "uid": claims.Cluster.Account.UID},
		},
	})
}
