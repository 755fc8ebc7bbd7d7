package mirror

// ChunkOf has a keeper write maps in chunks of n runs.
func ChunkOf(k *Keeper, n int) { k.most = n }

// PackAfter has a map pack n runs at a time.
func PackAfter(m *Map, n int) { m.most = n }

// One is a map as version 1 has it.
func One(m *Map) []byte { return one(m) }

// ExactFrom is where a map begins to be known record by record.
func ExactFrom(m *Map) Point { return m.exact() }
