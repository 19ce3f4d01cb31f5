package natsqueue_test

import (
	"testing"

	"go.uber.org/goleak"

	"sluice.dev/internal/natstest"
)

func TestMain(m *testing.M) {
	if natstest.Main() {
		return
	}
	goleak.VerifyTestMain(m)
}
