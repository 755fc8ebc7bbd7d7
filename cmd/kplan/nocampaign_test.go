//go:build !campaign

package main

// inCampaign is for the long forms: make campaign-access.
const inCampaign = false
