package plan

import "strconv"

const offsetsTranslate = "translate"

// specOffsets is the argument offsets, of the mirror or of one topic.
func specOffsets(required bool, byDefault, doc string) AttrSpec {
	return AttrSpec{Name: "offsets", Kind: KindEnum, Required: required, Default: byDefault, Doc: doc, Values: []ValueSpec{
		{Value: offsetsTranslate, Doc: "The target counts from where its log stands; the positions of groups are translated exactly."},
		{Value: "preserve", Doc: "The target's offsets equal the source's.", NotBuilt: "Write offsets = \"translate\": records keep their order but not their numbers, and the positions of groups are translated exactly."},
	}}
}

func specMirror() BlockSpec {
	return BlockSpec{
		Type: "mirror", Doc: "Copies the records of the selected topics to the target, those that are there and those that come.",
		Attrs: []AttrSpec{
			{Name: "run", Kind: KindEnum, Default: "apply", Doc: "Who copies (R17).", Values: []ValueSpec{
				{Value: "apply", Doc: "kplan apply itself, for as long as it runs."},
				{Value: "worker", Doc: "Processes of kplan mirror, one or several; apply asks and watches."},
			}},
			{Name: "start", Kind: KindEnum, Default: "earliest", Doc: "Where it begins in a partition of which it has copied nothing yet.", Values: []ValueSpec{
				{Value: "earliest", Doc: "At the first record that the source holds."},
				{Value: "latest", Doc: "Behind the last one: what is there by then stays on the source."},
			}},
			{Name: "session_timeout", Kind: KindDuration, Default: "15s", Min: "6s", Doc: "How long a worker of the mirror may give no sign of life before others take its partitions (session.timeout.ms of the workers' group); the source's group.min.session.timeout.ms and group.max.session.timeout.ms are its limits. No part of the plan's hash."},
			specOffsets(false, "translate, since this version cannot preserve", "What becomes of offsets (R21)."),
			specStray(),
		},
		Blocks: []BlockSpec{
			{
				Type: "throttle", Doc: "Limits how fast it copies. No part of the plan's hash.",
				Attrs: []AttrSpec{
					{Name: "bytes_per_second", Kind: KindInt, Required: true, Min: strconv.Itoa(LeastThrottle), NoMax: true, Doc: "The most that is copied a second, all workers together, such as bytes(\"80MiB\"); without the block there is no limit."},
				},
			},
			{
				Type: "reverse", Doc: "The way back, without loss (R19).",
				NotBuilt: "Leave it out: without it a service goes back as long as the target holds no records that were written there.",
				Attrs:    []AttrSpec{{Name: "keep_for", Kind: KindDuration, Doc: "How long it is kept after the last service moved."}},
			},
			{
				Type: "topic", Labels: []string{"NAME"}, Many: true, Doc: "What the mirror does otherwise with one topic.",
				Attrs: []AttrSpec{specOffsets(true, "", "What becomes of the topic's offsets (R21).")},
			},
		},
	}
}
