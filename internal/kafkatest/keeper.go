package kafkatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// keeperSocket is the environment variable that names the socket of a run's
// keeper. Unset, each test process starts what it needs by itself.
const keeperSocket = "KAFKATEST_KEEPER"

// Keeper has the brokers of a whole run of tests: what the test processes of
// many packages share is started once, by the first that asks, and ends with
// the keeper. It also gives those that need brokers of their own their turns,
// one test after the other, so that no machine is asked for more than it has.
type Keeper struct {
	pool   Pool
	log    func(string, ...any)
	dir    string
	server *http.Server
	served chan error

	mu    sync.Mutex
	owner string // the test whose turn it is
	holds int    // how many turns it has; a test may take several
	freed chan struct{}
}

// StartKeeper begins to serve. Close ends it.
func StartKeeper(log func(string, ...any)) (*Keeper, error) {
	dir, err := os.MkdirTemp("", "kplan-keeper-")
	if err != nil {
		return nil, fmt.Errorf("making the keeper's folder: %w", err)
	}
	k := &Keeper{log: log, dir: dir, served: make(chan error, 1), freed: make(chan struct{})}
	l, err := net.Listen("unix", k.socket())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the keeper's socket: %w", err), os.RemoveAll(dir))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cluster", k.serveCluster)
	mux.HandleFunc("POST /turn/{owner}", k.serveTurn)
	k.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { k.served <- k.server.Serve(l) }()
	return k, nil
}

func (k *Keeper) socket() string { return filepath.Join(k.dir, "keeper") }

// Env is what the test processes need in their environment to find the keeper.
func (k *Keeper) Env() string { return keeperSocket + "=" + k.socket() }

// Close ends the brokers and the keeper.
func (k *Keeper) Close() error {
	err := errors.Join(k.server.Close(), k.pool.Close())
	if served := <-k.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, os.RemoveAll(k.dir))
}

// serveCluster answers options with the cluster that has them.
func (k *Keeper) serveCluster(w http.ResponseWriter, r *http.Request) {
	var o Options
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c, err := k.pool.get(k.log, o)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	d, err := c.describe()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(d) // a caller that is gone needs no answer
}

// serveTurn answers when it is the owner's turn, which then lasts for as long
// as the request does: a process that dies gives its turn back.
func (k *Keeper) serveTurn(w http.ResponseWriter, r *http.Request) {
	owner := r.PathValue("owner")
	// The server looks out for a caller that is gone once the body is read.
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	if err := k.take(r.Context(), owner); err != nil {
		return // the caller is gone
	}
	defer k.give()
	w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	<-r.Context().Done()
}

func (k *Keeper) take(ctx context.Context, owner string) error {
	for {
		k.mu.Lock()
		if k.holds == 0 || k.owner == owner {
			k.owner = owner
			k.holds++
			k.mu.Unlock()
			return nil
		}
		freed := k.freed
		k.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-freed:
		}
	}
}

func (k *Keeper) give() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.holds--
	close(k.freed)
	k.freed = make(chan struct{})
}
