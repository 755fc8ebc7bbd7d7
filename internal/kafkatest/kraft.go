package kafkatest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

const log4j2 = `status=error
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.version.name=org.apache.kafka.common.utils.AppInfoParser
logger.version.level=info
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %p %c{1}: %m%n
`

// prepareKraft writes the configuration of all nodes and formats their storage.
// One broker is its own controller; three have a controller of their own, so
// that killing any broker leaves the quorum alone.
func (c *Cluster) prepareKraft() error {
	conf := filepath.Join(c.dir, "log4j2.properties")
	if err := os.WriteFile(conf, []byte(log4j2), 0o644); err != nil {
		return fmt.Errorf("writing the logging configuration: %w", err)
	}
	c.jvm.logConfig = "-Dlog4j2.configurationFile=" + conf
	controller := c.nodes[0]
	if c.options.Brokers > 1 {
		controller = c.extra[0]
	}
	voters := fmt.Sprintf("%d@127.0.0.1:%d", controller.id, controller.ports[controllerPort])
	for _, n := range c.everyNode() {
		var p properties
		switch {
		case n != controller:
			p = c.options.server(n, c.identity, c.authority.PEM())
			p["process.roles"] = "broker"
			p["listener.security.protocol.map"] += ",CONTROLLER:PLAINTEXT"
		case c.options.Brokers == 1:
			p = c.options.server(n, c.identity, c.authority.PEM())
			p["process.roles"] = "broker,controller"
			p["listeners"] += fmt.Sprintf(",CONTROLLER://127.0.0.1:%d", n.ports[controllerPort])
			p["listener.security.protocol.map"] += ",CONTROLLER:PLAINTEXT"
		default:
			p = properties{
				"process.roles":                  "controller",
				"listeners":                      fmt.Sprintf("CONTROLLER://127.0.0.1:%d", n.ports[controllerPort]),
				"listener.security.protocol.map": "CONTROLLER:PLAINTEXT",
				"log.dirs":                       n.data,
			}
		}
		maps.Copy(p, properties{
			"node.id":                                          fmt.Sprint(n.id),
			"controller.listener.names":                        "CONTROLLER",
			"controller.quorum.voters":                         voters,
			"share.coordinator.state.topic.num.partitions":     "2",
			"share.coordinator.state.topic.replication.factor": fmt.Sprint(c.options.Brokers),
			"share.coordinator.state.topic.min.isr":            "1",
			"broker.heartbeat.interval.ms":                     "500",
			"broker.session.timeout.ms":                        "6000",
		})
		c.options.authorizer(p, "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
		maps.Copy(p, c.options.ExtraProperties)
		n.storage = p["log.dirs"]
		if err := p.write(n.config); err != nil {
			return err
		}
	}
	return c.format(controller)
}
