//go:build campaign

package state_test

import (
	"testing"
	"time"
)

// The model of TestLeaseModel for a minute: make campaign-lease.
func TestLeaseModelCampaign(t *testing.T) { leaseModel(t, time.Minute) }
