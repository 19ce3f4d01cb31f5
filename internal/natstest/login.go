package natstest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"sluice.dev/internal/certtest"
)

// TLS is configuration that makes a server speak TLS alone and want a
// certificate of its clients, and the files for both.
func TLS(t testing.TB) (conf string, files certtest.Files) {
	t.Helper()
	f := certtest.Write(t, t.TempDir())
	return fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }", f.Cert, f.Key, f.Cert), f
}

// NKey is configuration that lets one user in by a key, and the key's file.
func NKey(t testing.TB) (conf, file string) {
	t.Helper()
	user, public := newKey(t, nkeys.CreateUser)
	return fmt.Sprintf("authorization { users: [{nkey: %s}] }", public), write(t, "user.nk", seed(t, user))
}

// Creds is configuration that lets in whom an operator's account has signed
// for, and the file of such a user. permit, which may be nil, narrows what the
// user may do.
func Creds(t testing.TB, permit func(*jwt.UserClaims)) (conf, file string) {
	t.Helper()
	operator, operatorID := newKey(t, nkeys.CreateOperator)
	_, systemID := newKey(t, nkeys.CreateAccount)
	account, accountID := newKey(t, nkeys.CreateAccount)
	user, userID := newKey(t, nkeys.CreateUser)

	accountClaims := jwt.NewAccountClaims(accountID)
	accountClaims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	userClaims := jwt.NewUserClaims(userID)
	if permit != nil {
		permit(userClaims)
	}
	signed := sign(t, userClaims, account)
	conf = fmt.Sprintf("operator: %q\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: { %s: %q, %s: %q }",
		write(t, "operator.jwt", []byte(sign(t, jwt.NewOperatorClaims(operatorID), operator))), systemID,
		systemID, sign(t, jwt.NewAccountClaims(systemID), operator), accountID, sign(t, accountClaims, operator))
	creds, err := jwt.FormatUserConfig(signed, seed(t, user))
	if err != nil {
		t.Fatal(err)
	}
	return conf, write(t, "user.creds", creds)
}

func newKey(t testing.TB, create func() (nkeys.KeyPair, error)) (key nkeys.KeyPair, public string) {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = key.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return key, public
}

func seed(t testing.TB, key nkeys.KeyPair) []byte {
	t.Helper()
	s, err := key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t testing.TB, claims jwt.Claims, by nkeys.KeyPair) string {
	t.Helper()
	token, err := claims.Encode(by)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// write makes a file in a folder of its own.
func write(t testing.TB, name string, text []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
