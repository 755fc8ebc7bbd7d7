package kafkatest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

const log4j1 = `log4j.rootLogger=WARN, out
log4j.logger.org.apache.kafka.common.utils.AppInfoParser=INFO
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{HH:mm:ss.SSS} %p %c{1}: %m%n
`

// prepareZooKeeper writes the configuration of ZooKeeper and of brokers that
// need it.
func (c *Cluster) prepareZooKeeper() error {
	conf := filepath.Join(c.dir, "log4j.properties")
	if err := os.WriteFile(conf, []byte(log4j1), 0o644); err != nil {
		return fmt.Errorf("writing the logging configuration: %w", err)
	}
	c.jvm.logConfig = "-Dlog4j.configuration=file:" + conf
	zk := c.extra[0]
	err := properties{
		"dataDir":            zk.data,
		"clientPort":         fmt.Sprint(zk.ports[zooKeeperPort]),
		"clientPortAddress":  "127.0.0.1",
		"admin.enableServer": "false",
		"tickTime":           "1000",
		"maxClientCnxns":     "0",
	}.write(zk.config)
	if err != nil {
		return err
	}
	for _, n := range c.nodes {
		p := c.options.server(n, c.identity, c.authority.PEM())
		maps.Copy(p, properties{
			"broker.id":                       fmt.Sprint(n.id),
			"zookeeper.connect":               fmt.Sprintf("127.0.0.1:%d", zk.ports[zooKeeperPort]),
			"zookeeper.connection.timeout.ms": "30000",
			"zookeeper.session.timeout.ms":    "6000",
		})
		c.options.authorizer(p, "kafka.security.authorizer.AclAuthorizer")
		maps.Copy(p, c.options.ExtraProperties)
		if err := p.write(n.config); err != nil {
			return err
		}
	}
	return nil
}
