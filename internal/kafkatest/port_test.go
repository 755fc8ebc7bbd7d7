package kafkatest

import (
	"net"
	"testing"
)

// A port that somebody takes between choosing and opening it costs an attempt,
// also when it is that of the last listener, after the first one has answered.
func TestTakenPortIsTriedAgainOnRealBrokers(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	attempts := 0
	c := Start(t, Options{
		Version: V4_3_0, Listeners: []Listener{SASLTLS}, Users: []User{{Name: "u", Password: "p"}},
		choose: func(n int) ([]int, error) {
			ports, err := freePorts(n)
			if attempts++; attempts == 1 && err == nil {
				addr, _ := taken.Addr().(*net.TCPAddr)
				ports[n-1] = addr.Port
			}
			return ports, err
		},
	})
	if attempts != 2 {
		t.Errorf("started in %d attempts, want 2", attempts)
	}
	if len(c.Bootstrap(SASLTLS)) != 1 {
		t.Error("no SASL_SSL listener")
	}
}
