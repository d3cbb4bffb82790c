// Command registry serves an OCI registry without TLS, in memory: the charts of tests, for Helm and for Argo CD.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: registry ADDRESS")
	}
	log.Fatal(http.ListenAndServe(os.Args[1], registry.New()))
}
