package kafkatest

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Version is a version of Apache Kafka that this package can run.
type Version string

// The versions, each pinned by pom-VERSION.xml in this folder.
const (
	V4_3_0 Version = "4.3.0"
	V2_8_2 Version = "2.8.2"
)

// family is the part of a version that the protocol tells.
func (v Version) family() (string, error) {
	switch v {
	case V4_3_0:
		return "4.3", nil
	case V2_8_2:
		return "2.8", nil
	}
	return "", fmt.Errorf("version %q is not one of 4.3.0 and 2.8.2", v)
}

func (v Version) kraft() bool { return v != V2_8_2 }

// askVersion asks a broker what it is. A broker does not tell its version, but
// the requests and features that it knows date it.
func askVersion(ctx context.Context, client kmsg.Requestor) (family, evidence string, err error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "kafkatest", "1"
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return "", "", fmt.Errorf("asking for ApiVersions: %w", err)
	}
	return dateVersions(resp)
}

// dateVersions compares what a broker can with what each release could.
func dateVersions(resp *kmsg.ApiVersionsResponse) (family, evidence string, err error) {
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return "", "", fmt.Errorf("asking for ApiVersions: %w", err)
	}
	family = strings.TrimPrefix(kversion.FromApiVersionsResponse(resp).VersionGuess(), "v")
	var produce, fetch kmsg.ApiVersionsResponseApiKey
	for _, k := range resp.ApiKeys {
		switch kmsg.Key(k.ApiKey) {
		case kmsg.Produce:
			produce = k
		case kmsg.Fetch:
			fetch = k
		}
	}
	level := "no metadata.version"
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "metadata.version" {
			level = fmt.Sprintf("metadata.version %d", f.MaxVersionLevel)
		}
	}
	return family, fmt.Sprintf("Apache Kafka %s by its ApiVersions: %d requests, Produce %d-%d, Fetch %d-%d, %s",
		family, len(resp.ApiKeys), produce.MinVersion, produce.MaxVersion, fetch.MinVersion, fetch.MaxVersion, level), nil
}
