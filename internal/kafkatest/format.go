package kafkatest

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// bootstrapFile holds the feature levels and SCRAM users with which a controller
// begins. It knows neither cluster nor node (KIP-778).
const bootstrapFile = "bootstrap.checkpoint"

// format gives every node's storage the cluster id, and the controller's the
// SCRAM users: as kafka-storage does, but that a JVM is run for new users alone.
func (c *Cluster) format(controller *node) error {
	kept := fmt.Sprintf("%s-users-%s", c.jars, digest(fmt.Append(nil, c.options.Users)))
	data, err := os.ReadFile(kept)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := c.formatByTool(controller, kept); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("reading what a controller begins with: %w", err)
	default:
		err := c.writeMeta(controller)
		if err == nil {
			err = os.WriteFile(filepath.Join(controller.storage, bootstrapFile), data, 0o644)
		}
		if err != nil {
			return fmt.Errorf("formatting the storage of %s: %w", controller.name, err)
		}
	}
	for _, n := range c.everyNode() {
		if n == controller {
			continue
		}
		if err := c.writeMeta(n); err != nil {
			return fmt.Errorf("formatting the storage of %s: %w", n.name, err)
		}
	}
	return nil
}

// writeMeta writes meta.properties version 1 (KIP-631, KIP-858).
func (c *Cluster) writeMeta(n *node) error {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	id[0] &= 0x7f // Kafka's ids do not begin with a dash
	if err := os.MkdirAll(n.storage, 0o755); err != nil {
		return err
	}
	return properties{
		"version": "1", "cluster.id": c.id, "node.id": fmt.Sprint(n.id), "directory.id": base64.RawURLEncoding.EncodeToString(id[:]),
	}.write(filepath.Join(n.storage, "meta.properties"))
}

// formatByTool lets Kafka's own tool format the controller's storage, and keeps
// what of it other clusters with these users can begin with.
func (c *Cluster) formatByTool(controller *node, kept string) error {
	args := []string{"format", "-t", c.id, "-c", controller.config}
	for _, u := range c.options.Users {
		for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", m, u.Name, u.Password))
		}
	}
	tool, err := c.spawner.run(c.dir, fmt.Sprintf("format-%d", controller.id), c.jvm.args("kafka.tools.StorageTool", args...))
	if err != nil {
		return err
	}
	<-tool.exited
	if tool.err != nil {
		return fmt.Errorf("formatting storage: %w\n%s", tool.err, tool.tail())
	}
	data, err := os.ReadFile(filepath.Join(controller.storage, bootstrapFile))
	if err != nil {
		return fmt.Errorf("reading what the storage tool wrote: %w", err)
	}
	if err := writeWhole(kept, data); err != nil {
		return fmt.Errorf("keeping what a controller begins with: %w", err)
	}
	return nil
}

// writeWhole writes a file that other processes see whole or not at all.
func writeWhole(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "writing-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), path)
}
