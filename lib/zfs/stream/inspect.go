package stream

// Inspect looks at the beginning of a stream, for one who passes on the rest
// without looking: the sender, whose own zfs send made it. It returns how many
// bytes it needs to see, and when it has them an error unless the stream begins
// as expected. Of a package that is the first substream in it.
func (e Expect) Inspect(beginning []byte) (need int, err error) {
	first := 0
	if len(e.To) > 1 {
		first = 2 * recordSize // after the package's own first record and its end
		if len(beginning) < recordSize {
			return recordSize, nil
		}
		b, err := ParseBegin(beginning)
		if err != nil {
			return 0, err
		}
		if err := e.judgePackage(b); err != nil {
			return 0, err
		}
	}
	if len(beginning) < first+recordSize {
		return first + recordSize, nil
	}
	b, err := ParseBegin(beginning[first:])
	if err != nil {
		return 0, err
	}
	return 0, e.judge(b, 0)
}
