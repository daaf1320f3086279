// Command tlsd serves a directory over HTTPS, with a certificate that nobody trusts.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log"
	"math/big"
	"net/http"
	"os"
	"time"
)

func main() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	long := 24 * time.Hour
	self := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(long), DNSNames: []string{"somebody.else"}}
	certificate, err := x509.CreateCertificate(rand.Reader, self, self, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr: os.Args[1], Handler: http.FileServer(http.Dir(os.Args[2])), ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}},
	}
	log.Fatal(server.ListenAndServeTLS("", ""))
}
