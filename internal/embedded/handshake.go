package embedded

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxRequest is Apache Kafka's default of socket.request.max.bytes. A client
// that speaks TLS or HTTP to a plaintext listener asks for more with its very
// first bytes; Kafka hangs up then, where kfake would wait for the rest.
const maxRequest = 100 << 20

// handshake watches the requests of a connection until its authentication is
// over. kfake hangs up on a wrong password; Kafka answers
// SASL_AUTHENTICATION_FAILED (KIP-152) first, and clients tell a wrong
// password from a dead broker by that answer, so it is added here.
//
// One goroutine feeds the bytes that are read, another tells when a response
// was written, either closes: hence the lock.
type handshake struct {
	mu      sync.Mutex
	over    bool
	header  []byte // size, key, version and correlation id of the request under way
	left    int    // bytes of it still to come
	pending bool   // it has no answer yet
	version int16
	corr    uint32
	key     kmsg.Key
}

const headerBytes = 4 + 2 + 2 + 4

// read takes bytes that came from the client.
func (h *handshake) read(b []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(b) > 0 && !h.over {
		if missing := headerBytes - len(h.header); missing > 0 {
			n := min(missing, len(b))
			h.header, b = append(h.header, b[:n]...), b[n:]
			if err := h.parse(); err != nil {
				return err
			}
			continue
		}
		n := min(h.left, len(b))
		h.left, b = h.left-n, b[n:]
		if h.left == 0 {
			h.header = h.header[:0]
		}
	}
	return nil
}

func (h *handshake) parse() error {
	if len(h.header) < 4 {
		return nil
	}
	size := int64(int32(binary.BigEndian.Uint32(h.header)))
	if size < headerBytes-4 || size > maxRequest {
		h.over = true
		return fmt.Errorf("the client sent a request of %d bytes, so it does not speak Kafka's protocol here (TLS on a plaintext listener?)", size)
	}
	if len(h.header) < headerBytes {
		return nil
	}
	h.key = kmsg.Key(binary.BigEndian.Uint16(h.header[4:]))
	h.version = int16(binary.BigEndian.Uint16(h.header[6:]))
	h.corr = binary.BigEndian.Uint32(h.header[8:])
	h.left, h.pending = int(size)-(headerBytes-4), true
	switch h.key {
	case kmsg.SASLHandshake, kmsg.ApiVersions, kmsg.SASLAuthenticate:
	default:
		h.over = true
	}
	if h.left == 0 {
		h.header = h.header[:0]
	}
	return nil
}

// answered notes that the request under way has its response.
func (h *handshake) answered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = false
}

// farewell returns the bytes to send before hanging up, or nil.
func (h *handshake) farewell() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over || !h.pending || h.key != kmsg.SASLAuthenticate {
		return nil
	}
	h.over = true
	resp := kmsg.NewPtrSASLAuthenticateResponse()
	resp.SetVersion(min(h.version, resp.MaxVersion()))
	resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
	resp.ErrorMessage = kmsg.StringPtr("Authentication failed: Invalid username or password")
	frame := binary.BigEndian.AppendUint32(make([]byte, 4), h.corr)
	if resp.IsFlexible() {
		frame = append(frame, 0) // no tagged fields in the header
	}
	frame = resp.AppendTo(frame)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}
