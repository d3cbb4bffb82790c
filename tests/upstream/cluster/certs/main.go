// Command certs makes the keys of a test cluster: `certs DIR` writes a certificate authority, one server certificate for
// 127.0.0.1 and localhost that it signed, and the key that ServiceAccount tokens are signed with.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const lifetime = 30 * 24 * time.Hour

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: certs DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "certs:", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	authorityKey, err := key(folder, "ca.key")
	if err != nil {
		return err
	}
	authority := certificate(1, "kargo-fleet test cluster")
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	if err := sign(folder, "ca.crt", authority, authority, authorityKey, authorityKey); err != nil {
		return err
	}
	serverKey, err := key(folder, "server.key")
	if err != nil {
		return err
	}
	server := certificate(2, "localhost")
	server.KeyUsage = x509.KeyUsageDigitalSignature
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 1)}
	if err := sign(folder, "server.crt", server, authority, serverKey, authorityKey); err != nil {
		return err
	}
	_, err = key(folder, "service-account.key")
	return err
}

func certificate(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(lifetime),
	}
}

func key(folder, name string) (*ecdsa.PrivateKey, error) {
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(made)
	if err != nil {
		return nil, err
	}
	return made, save(folder, name, "EC PRIVATE KEY", der)
}

func sign(folder, name string, subject, issuer *x509.Certificate, subjectKey, issuerKey *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, subject, issuer, &subjectKey.PublicKey, issuerKey)
	if err != nil {
		return err
	}
	return save(folder, name, "CERTIFICATE", der)
}

func save(folder, name, kind string, der []byte) error {
	return os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
