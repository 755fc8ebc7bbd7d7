package kafka

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// Bounds of a SCRAM credential: the salt is as long as Kafka's own tools make
// it, the iterations are the fewest that brokers take.
const (
	scramSalt       = 16
	scramIterations = 4096
)

// ScramUsers returns every user that the cluster knows by SCRAM, one entry for
// each mechanism, sorted (KIP-554; brokers from 2.7). The error is
// cluster.ErrNotAllowed without the right Describe on the cluster.
func (c *Client) ScramUsers(ctx context.Context) ([]cluster.ScramUser, error) {
	var users []cluster.ScramUser
	err := c.retry(ctx, "reading the SCRAM users", func() error {
		b, err := c.controller()
		if err != nil {
			return err
		}
		users, err = scramUsersOn(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the SCRAM users of %s: %w", c.ep.Name(), err)
	}
	return users, nil
}

func scramUsersOn(b *sarama.Broker) ([]cluster.ScramUser, error) {
	resp, err := b.DescribeUserScramCredentials(&sarama.DescribeUserScramCredentialsRequest{})
	if err != nil {
		return nil, err
	}
	if err := accessRefused(resp.ErrorCode, deref(resp.ErrorMessage)); err != nil {
		return nil, err
	}
	escaped, err := escapesUsers(b)
	if err != nil {
		return nil, err
	}
	var users []cluster.ScramUser
	for _, r := range resp.Results {
		if !errors.Is(r.ErrorCode, sarama.ErrNoError) {
			return nil, fmt.Errorf("user %q: %w", r.User, r.ErrorCode)
		}
		name := r.User
		if plain, err := url.PathUnescape(name); escaped && err == nil {
			name = plain
		}
		for _, i := range r.CredentialInfos {
			users = append(users, cluster.ScramUser{Name: name, Mechanism: i.Mechanism.String(), Iterations: int(i.Iterations)})
		}
	}
	slices.SortFunc(users, func(a, b cluster.ScramUser) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Mechanism, b.Mechanism))
	})
	return users, nil
}

// escapesUsers reports whether a broker lists users as ZooKeeper keeps them: by
// percent signs (2.8.2 does). Without ZooKeeper there is a metadata.version.
func escapesUsers(b *sarama.Broker) (bool, error) {
	resp, err := b.ApiVersions(&sarama.ApiVersionsRequest{Version: 3, ClientSoftwareName: "kplan", ClientSoftwareVersion: "1"})
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(resp.FinalizedFeatures, func(f sarama.FinalizedFeatureKey) bool { return f.Name == "metadata.version" }), nil
}

// CreateScramUser creates a user with a password, which the brokers never see:
// they get the key that is made of it. Zero iterations are 4096. A user that is
// there with this mechanism keeps its password: cluster.ErrUserExists. A refusal
// is a *RefusedError. It returns when every broker that can be asked shows the
// user. It takes Alter on the cluster.
func (c *Client) CreateScramUser(ctx context.Context, user cluster.ScramUser, password string) error {
	what := fmt.Sprintf("creating the SCRAM user %q in %s", user.Name, c.ep.Name())
	mechanism := sarama.SCRAM_MECHANISM_SHA_256
	switch user.Mechanism {
	case sarama.SASLTypeSCRAMSHA256:
	case sarama.SASLTypeSCRAMSHA512:
		mechanism = sarama.SCRAM_MECHANISM_SHA_512
	default:
		return fmt.Errorf("%s: mechanism %q is not SCRAM-SHA-256 or SCRAM-SHA-512", what, user.Mechanism)
	}
	if i := strings.IndexFunc(user.Name, func(r rune) bool { return r > unicode.MaxASCII }); i >= 0 {
		return fmt.Errorf("%s: brokers take names of ASCII characters only at a login, so this user could never log in. Choose another name", what)
	}
	user.Iterations = cmp.Or(user.Iterations, scramIterations)
	before, err := c.ScramUsers(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if slices.ContainsFunc(before, func(u cluster.ScramUser) bool { return u.Name == user.Name && u.Mechanism == user.Mechanism }) {
		return fmt.Errorf("%s: %w", what, cluster.ErrUserExists)
	}
	salt := make([]byte, scramSalt)
	if _, err := rand.Read(salt); err != nil {
		return fmt.Errorf("%s: drawing a salt: %w", what, err)
	}
	upsert := sarama.AlterUserScramCredentialsUpsert{
		Name: user.Name, Mechanism: mechanism, Iterations: int32(user.Iterations), Salt: salt, Password: []byte(password),
	}
	// The same salt and password again do no harm.
	if err := c.retry(ctx, what, func() error { return c.sendScramUser(upsert) }); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return c.shown(ctx, what, func(b *sarama.Broker) (string, error) {
		users, err := scramUsersOn(b)
		if err == nil && !slices.Contains(users, user) {
			return fmt.Sprintf("user %q with %s", user.Name, user.Mechanism), nil
		}
		return "", err
	})
}

func (c *Client) sendScramUser(upsert sarama.AlterUserScramCredentialsUpsert) error {
	b, err := c.controller()
	if err != nil {
		return err
	}
	resp, err := b.AlterUserScramCredentials(&sarama.AlterUserScramCredentialsRequest{Upsertions: []sarama.AlterUserScramCredentialsUpsert{upsert}})
	switch {
	case err != nil:
		return err
	case len(resp.Results) != 1:
		return sarama.ErrIncompleteResponse
	case errors.Is(resp.Results[0].ErrorCode, sarama.ErrNoError):
		return nil
	case retriable(resp.Results[0].ErrorCode):
		return resp.Results[0].ErrorCode
	}
	return refusal(fmt.Sprintf("creating user %q", upsert.Name), resp.Results[0].ErrorCode, deref(resp.Results[0].ErrorMessage))
}
