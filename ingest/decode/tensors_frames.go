package decode

// frames reads the inputs that KServe's servers of tables take in the V1 protocol:
// an array of objects of columns, whose rows follow each other,
//
//	{"inputs": [{"age": [31, 64], "city": ["Oslo", null]}]}
//
// A column that a later object lacks is null there, one that it adds is refused.
func (m *tensors) frames(list []tensor, array ref) ([]tensor, *Error) {
	t := m.tree
	first := t.first(array)
	rows := 0
	for r := first; r != 0; r = t.next(r) {
		if err := m.named(r, first); err != nil {
			return list, err
		}
		n, err := m.frameRows(r)
		if err != nil {
			return list, err
		}
		if rows += n; rows > maxTensorRows {
			return list, t.fail(array, TooLarge, "send at most 65,536 rows a request")
		}
	}
	if t.size(first) > maxTensors {
		return list, t.fail(array, TooManyFeatures, "send at most 4,096 values a row")
	}
	if t.size(first)*rows > t.max {
		return list, t.fail(array, TooLarge, lackingHint)
	}
	for column := t.first(first); column != 0; column = t.next(column) {
		from := len(m.cells)
		for r := first; r != 0; r = t.next(r) {
			if err := m.column(r, t.key(column)); err != nil {
				return list, err
			}
		}
		list = append(list, tensor{name: t.key(column), named: true, rows: rows, width: 1, cells: m.cells[from:]})
	}
	return list, nil
}

// isFrames reports whether an array of inputs holds such objects and no tensors.
func (m *tensors) isFrames(array ref) bool {
	t := m.tree
	first := t.first(array)
	if t.kind(first) != isObject || t.size(first) == 0 {
		return false
	}
	for _, key := range [...]string{"name", "shape", "datatype", "data"} {
		if t.get(first, key) != 0 {
			return false
		}
	}
	return true
}

// frameRows returns how many rows an object of columns has. A plain value is a
// column of one.
func (m *tensors) frameRows(frame ref) (rows int, err *Error) {
	t := m.tree
	for column := t.first(frame); column != 0; column = t.next(column) {
		n := 1
		if t.kind(column) == isArray {
			n = t.size(column)
		}
		if rows == 0 && column == t.first(frame) {
			rows = n
		}
		if n != rows {
			return 0, t.fail(column, BadValue, "every column must have as many values as the first")
		}
	}
	return rows, nil
}

// column appends the values of one column of a frame, nulls where it lacks it.
func (m *tensors) column(frame ref, key []byte) *Error {
	t := m.tree
	column := t.get(frame, text(key))
	if column == 0 {
		n, err := m.frameRows(frame)
		for range n {
			m.cells = append(m.cells, cell{kind: isNull})
		}
		return err
	}
	if t.kind(column) != isArray {
		c, err := m.cell(column)
		m.cells = append(m.cells, c)
		return err
	}
	for r := t.first(column); r != 0; r = t.next(r) {
		c, err := m.cell(r)
		if err != nil {
			return err
		}
		m.cells = append(m.cells, c)
	}
	return nil
}
