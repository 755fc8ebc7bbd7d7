package plan

// checkConfigKey warns about a config key that is probably a typing error.
// Brokers may know configs that kplan does not, and the broker has the last
// word (validateOnly).
func (l *loader) checkConfigKey(key NamedRef) {
	known := topicConfigs()
	if contains(known, key.Name) {
		return
	}
	if hint := didYouMean(key.Name, known); hint != "" {
		l.warnf("KP1407", key.Range, "%s is no well-known topic config.%s", quote(key.Name), hint)
	}
}

// topicConfigs returns the topic configs of Apache Kafka 4.x, and those that
// 2.8 still had.
func topicConfigs() []string {
	return []string{
		"cleanup.policy", "compression.gzip.level", "compression.lz4.level", "compression.type", "compression.zstd.level",
		"delete.retention.ms", "file.delete.delay.ms", "flush.messages", "flush.ms",
		"follower.replication.throttled.replicas", "index.interval.bytes", "leader.replication.throttled.replicas",
		"local.retention.bytes", "local.retention.ms", "max.compaction.lag.ms", "max.message.bytes",
		"message.downconversion.enable", "message.format.version", "message.timestamp.after.max.ms",
		"message.timestamp.before.max.ms", "message.timestamp.difference.max.ms", "message.timestamp.type",
		"min.cleanable.dirty.ratio", "min.compaction.lag.ms", "min.insync.replicas", "preallocate",
		"remote.log.copy.disable", "remote.log.delete.on.disable", "remote.storage.enable",
		"retention.bytes", "retention.ms", "segment.bytes", "segment.index.bytes", "segment.jitter.ms", "segment.ms",
		"unclean.leader.election.enable",
	}
}
