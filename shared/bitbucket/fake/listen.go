package fake

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Network is the server on the network of this machine, for programs of their
// own: as the pipeline's proxy, and as api.bitbucket.org behind a proxy of the
// kind that companies have.
type Network struct {
	server  *Server
	proxy   net.Listener // what a pipeline's proxy is, at its port
	company net.Listener // what HTTPS_PROXY leads to
	api     net.Listener // what stands behind it, encrypted
	file    string       // certificates
	closers []io.Closer
}

// Listen starts to listen; dir takes a file with the certificate. The proxy
// has its documented port, so that it takes an address of 127.0.0.0/8 for
// itself, where the machine has one.
func (s *Server) Listen(dir string) (*Network, error) {
	n := &Network{server: s, file: filepath.Join(dir, "bitbucket-ca.pem")}
	certificate, err := n.certificate()
	if err != nil {
		return nil, err
	}
	if n.proxy, err = listenAtPort("29418"); err != nil {
		return nil, err
	}
	n.serve(n.proxy, http.HandlerFunc(s.asProxy))
	if n.api, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	n.serve(tls.NewListener(n.api, &tls.Config{Certificates: []tls.Certificate{certificate}}), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, false)
	}))
	if n.company, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	n.serve(n.company, http.HandlerFunc(n.connect))
	return n, nil
}

func (n *Network) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	n.closers = append(n.closers, server)
	go func() { _ = server.Serve(l) }() // ends with Close
}

// listenAtPort takes the port on an address of its own.
func listenAtPort(port string) (net.Listener, error) {
	var err error
	for range 20 {
		var l net.Listener
		address := fmt.Sprintf("127.%d.%d.%d", 1+mathrand.IntN(250), mathrand.IntN(250), 1+mathrand.IntN(250))
		if l, err = net.Listen("tcp", net.JoinHostPort(address, port)); err == nil {
			return l, nil
		}
	}
	if l, last := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); last == nil {
		return l, nil
	}
	return nil, err
}

// asProxy is the pipeline's proxy: it can sign only what it can read.
func (s *Server) asProxy(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect || !r.URL.IsAbs() || r.URL.Scheme != "http" {
		s.mu.Lock()
		text := s.complain("%s %s: not a plain request to a proxy", r.Method, r.URL)
		s.mu.Unlock()
		write(w, refused(http.StatusBadRequest, text))
		return
	}
	s.serve(w, r, true)
}

// connect is a proxy that leads https://api.bitbucket.org here and nothing else
// anywhere.
func (n *Network) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || r.Host != "api.bitbucket.org:443" {
		n.server.mu.Lock()
		n.server.complain("%s %s: a call to somewhere else", r.Method, r.Host)
		n.server.mu.Unlock()
		http.Error(w, "only https://api.bitbucket.org", http.StatusForbidden)
		return
	}
	there, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", n.api.Addr().String())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = there.Close()
		return
	}
	_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
	go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
}

// Environ are the variables of a pipe that runs in a pipeline of this
// Bitbucket. They do not hold the token; HTTPS_PROXY leads a client that has it
// here.
func (n *Network) Environ() []string {
	host, _, _ := net.SplitHostPort(n.proxy.Addr().String()) // a listener's address always has a port
	return []string{
		"BITBUCKET_PIPELINE_UUID={6b1f1b1e-1111-4222-8333-944445555666}", "BITBUCKET_BUILD_NUMBER=7",
		"BITBUCKET_WORKSPACE=" + filepath.Dir(n.server.options.Repository), "BITBUCKET_REPO_SLUG=" + filepath.Base(n.server.options.Repository),
		"BITBUCKET_REPO_FULL_NAME=" + n.server.options.Repository, "BITBUCKET_COMMIT=" + n.server.options.Commit,
		"BITBUCKET_PIPE_STORAGE_DIR=/opt/atlassian/pipelines/agent/build/.bitbucket/pipelines/generated/pipeline/pipes/acme/pipe",
		"DOCKER_HOST=tcp://" + net.JoinHostPort(host, "2375"),
		"HTTPS_PROXY=http://" + n.company.Addr().String(), "SSL_CERT_FILE=" + n.file,
	}
}

// Close stops listening.
func (n *Network) Close() error {
	var errs []error
	for _, c := range n.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(n.file))...)
}

// certificate makes one for api.bitbucket.org, and writes down whom to trust.
func (n *Network) certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fake Bitbucket"}, DNSNames: []string{"api.bitbucket.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(n.file, text, 0o600); err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
