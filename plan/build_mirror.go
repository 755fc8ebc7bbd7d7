package plan

func (l *loader) buildMirror(b *block, m *Migration) *Mirror {
	r := &Mirror{Run: "apply", Start: "earliest", Range: b.rng}
	if d, ok := l.value(b, "run"); ok {
		r.Run = d.text
	}
	if d, ok := l.value(b, "start"); ok {
		r.Start = d.text
	}
	if d, ok := l.value(b, "offsets"); ok {
		r.Offsets = d.text
	}
	if d, ok := l.value(b, "session_timeout"); ok {
		r.SessionTimeout = d.duration
	}
	if inner := b.only("throttle"); inner != nil {
		if d, ok := l.value(inner, "bytes_per_second"); ok {
			r.BytesPerSecond = d.number
		}
	}
	for _, inner := range b.all("topic") {
		t := MirroredTopic{Name: inner.labels[0].text, Range: inner.labels[0].rng}
		name := NamedRef{Name: t.Name, Range: t.Range}
		l.topicName(name)
		l.selected(m.Topics, name, "has settings of the mirror")
		if d, ok := l.value(inner, "offsets"); ok {
			t.Offsets = d.text
		}
		r.Topics = append(r.Topics, t)
	}
	if m.Scheme.Kind == ProductionLater {
		l.errorf("KP1204", b.rng, "kplan knows mirror with scheme %s, but this version cannot do it yet. "+
			"The readers that the scheme starts on the target would process the mirrored records, and the readers that stay on the source process the same ones. "+
			"Leave the mirror out, or use scheme %s, where no two readers of a group run at once.",
			quote(string(ProductionLater)), quote(string(ProductionFirst)))
	}
	return r
}
