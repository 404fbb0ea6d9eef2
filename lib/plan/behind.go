package plan

// Behind is how many snapshots of the sender a dataset that does not move
// still lacks: those after the base that the policy wants, or all of them
// without a base; of a job that sends only the newest, 1 or 0.
func Behind(in Input, base *Base, p Policy) int {
	o := one{in: in, p: p, sender: sorted(in.Sender)}
	after := uint64(0)
	if base != nil {
		after = base.Sender.CreateTXG
	}
	return len(o.due(o.wantedAfter(after)))
}
