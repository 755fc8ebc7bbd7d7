package mirror

// ChunkOf has a keeper write maps in chunks of n segments.
func ChunkOf(k *Keeper, n int) { k.chunk = n }
