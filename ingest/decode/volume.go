package decode

// Rows share their texts in the columns, but stored each has its own: a few bytes
// a row, an Arrow dictionary's index or the symbol of an Avro enum, can stand for
// any text. Whoever collects rows therefore has to ask how much text they are.

// Outgrows reports whether a column of text has more than so many bytes once each
// row has its own. A text shorter than a hash counts as one, which a privacy policy
// may put in its place.
func (c Columns) Outgrows(bytes int) bool {
	if p := c.Predictions; p != nil {
		if p.categoryText.over(bytes, p.CategoryValues, &p.Values) || p.segmentText.over(bytes, p.SegmentValues, &p.SegmentTexts) {
			return true
		}
	}
	if d := c.Deployments; d != nil {
		for _, t := range d.texts() {
			if len(t.Bytes) > bytes {
				return true
			}
		}
	}
	return false
}

// leastText is the size in bytes of a hash.
const leastText = 32

// volume is the text that identifiers stand for, so far as it was counted. That is
// only done where the longest text times the rows does not decide. What was counted
// stays until Reset: only the record under way is rolled back.
type volume struct{ counted, bytes int }

func (v *volume) over(bytes int, ids []int32, dict *Dict) bool {
	if len(ids)*max(dict.longest, leastText) <= bytes {
		return false
	}
	for _, id := range ids[v.counted:] {
		v.bytes += max(len(dict.Value(id)), leastText)
	}
	v.counted = len(ids)
	return v.bytes > bytes
}
