// Package securekafka gives a test a Kafka that wants TLS, a client's
// certificate or SASL, with the certificates and password files that a client
// is configured with. It is franz-go's kfake, like the embedded broker, which
// itself stays plain on loopback.
//
// Only tests import it, and it imports nothing of ours.
package securekafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// User and Password are what the Kafka knows.
const (
	User     = "plumbline"
	Password = "a secret, with a comma"
)

// Options say what the Kafka wants; the zero value is a plain one.
type Options struct {
	TLS bool
	// ClientCertificate wants one of the authority in ca.pem. It needs TLS.
	ClientCertificate bool
	// Mechanism is the one SASL mechanism by which User is known; empty is none.
	Mechanism string
	// Topics exist from the beginning, with two partitions each.
	Topics []string
}

// Kafka is a running Kafka. Its folder holds ca.pem, client.pem, client.key and
// password; for mistakes, other-ca.pem of an authority that signed nothing, and
// wrong-password; and for another Kafka server.pem, a server's key and
// certificate.
type Kafka struct {
	Address string
	dir     string
	ca      authority
	cluster *kfake.Cluster
}

// Start starts a Kafka on a loopback port and writes the files into dir. Close
// ends it.
func Start(dir string, o Options) (*Kafka, error) {
	k := &Kafka{dir: dir}
	server, err := k.writeFiles()
	if err != nil {
		return nil, fmt.Errorf("secure kafka: %w", err)
	}
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(2, o.Topics...), kfake.GroupMinSessionTimeout(time.Second)}
	if o.TLS {
		if o.ClientCertificate {
			server.ClientAuth = tls.RequireAndVerifyClientCert
		}
		opts = append(opts, kfake.TLS(server))
	}
	if o.Mechanism != "" {
		opts = append(opts, kfake.EnableSASL(), kfake.Superuser(o.Mechanism, User, Password))
	}
	if k.cluster, err = kfake.NewCluster(opts...); err != nil {
		return nil, fmt.Errorf("secure kafka: %w", err)
	}
	k.Address = k.cluster.ListenAddrs()[0]
	return k, nil
}

// Close ends the Kafka.
func (k *Kafka) Close() { k.cluster.Close() }

// File returns the path of one of the files.
func (k *Kafka) File(name string) string { return filepath.Join(k.dir, name) }

// writeFiles makes the authorities and returns the server's side of TLS.
func (k *Kafka) writeFiles() (*tls.Config, error) {
	other, err := newAuthority("somebody else")
	if err != nil {
		return nil, err
	}
	if k.ca, err = newAuthority("securekafka"); err != nil {
		return nil, err
	}
	cert, key, err := k.ca.sign("localhost", true)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	for name, text := range map[string][]byte{
		"ca.pem": k.ca.pem(), "other-ca.pem": other.pem(),
		"password": []byte(Password + "\n"), "wrong-password": []byte("guessed\n"),
		"server.pem": append(key, cert...),
	} {
		if err := os.WriteFile(k.File(name), text, 0o600); err != nil {
			return nil, err
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(k.ca.cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots}, k.RenewClient("client")
}

// RenewClient writes client.pem and client.key anew, for a client of this name.
func (k *Kafka) RenewClient(name string) error {
	cert, key, err := k.ca.sign(name, false)
	if err != nil {
		return err
	}
	if err := os.WriteFile(k.File("client.pem"), cert, 0o600); err != nil {
		return err
	}
	return os.WriteFile(k.File("client.key"), key, 0o600)
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(name string) (authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, err
	}
	template := template(name)
	template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return authority{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return authority{cert, key}, err
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
	}
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// sign returns a certificate and its key, PEM: of a server on 127.0.0.1 that is
// also called name, or of a client.
func (a authority) sign(name string, server bool) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := template(name)
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if server {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		template.DNSNames, template.IPAddresses = []string{name}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}
