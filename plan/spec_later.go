package plan

// specLater lists the blocks of a migration that this version knows by name
// only. What is inside is listed as well, so that a name in the wrong place is
// told where it belongs; kplan does not look inside such a block.
func specLater() []BlockSpec {
	return []BlockSpec{specMirror()}
}

func specMirror() BlockSpec {
	return BlockSpec{
		Type: "mirror", Doc: "Copies the records that are there.",
		NotBuilt: "Leave it out: with the schemes that are built the records stay on the source until they are consumed. Copy history with another tool first where it is needed.",
		Attrs: []AttrSpec{
			{Name: "run", Kind: KindEnum, Doc: "Who runs it: apply or worker (R17)."},
			{Name: "start", Kind: KindEnum, Doc: "Where it begins."},
			{Name: "offsets", Kind: KindEnum, Doc: "preserve or translate (R21)."},
			specStray(),
		},
		Blocks: []BlockSpec{
			{Type: "throttle", Doc: "Limits it.", Attrs: []AttrSpec{{Name: "bytes_per_second", Kind: KindInt, Doc: "Bytes a second, all workers together."}}},
			{Type: "reverse", Doc: "The way back (R19).", Attrs: []AttrSpec{{Name: "keep_for", Kind: KindDuration, Doc: "How long it is kept after the last service moved."}}},
			{Type: "topic", Labels: []string{"NAME"}, Many: true, Doc: "Settings of one topic.", Attrs: []AttrSpec{{Name: "offsets", Kind: KindEnum, Doc: "preserve or translate (R21)."}}},
		},
	}
}
