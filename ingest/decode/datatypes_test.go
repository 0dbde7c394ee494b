package decode

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// tensorEvent is one half of an exchange with one tensor of one value.
func tensorEvent(half, datatype, value string) Record {
	return Record{Known: testKnown, Headers: kserve(half), Value: fmt.Appendf(nil, `{"%s":[{"name":"x","shape":[1],"datatype":%q,"data":[%s]}]}`,
		map[string]string{"request": "inputs", "response": "outputs"}[half], datatype, value)}
}

// A value that is not of its tensor's datatype is refused, whatever half it is in.
func TestTensorValuesMatchTheirDatatype(t *testing.T) {
	for datatype, c := range map[string]struct{ good, refused string }{
		"BOOL":   {"true false 0 1", `7 0.5 "true" -1`},
		"UINT8":  {"0 255 1.0 2e2", `300 -1 1.5 "5" true NaN Infinity`},
		"UINT16": {"65535", "65536 -1"},
		"UINT32": {"4294967295", "4294967296 -1"},
		"UINT64": {"0 9007199254740991", "18446744073709551616 -1 1e30"},
		"INT8":   {"-128 127", "128 -129"},
		"INT16":  {"-32768 32767", "32768 -32769"},
		"INT32":  {"-2147483648 2147483647", "2147483648 -2147483649"},
		"INT64":  {"-9007199254740991 0 -0.0", `9223372036854775808 -9223372036854775809 1.5 1.7 "1" false NaN`},
		"FP16":   {"0.5 1 NaN", `"0.5" true`},
		"BF16":   {"0.5 1", `"0.5"`},
		"FP32":   {"0.91 1 -2e3 NaN Infinity -Infinity", `"0.91" false`},
		"FP64":   {"0.91 1", `"late" true`},
		"BYTES":  {`"late" "5" "é"`, "5 0.5 true false NaN"},
	} {
		for _, half := range []string{"request", "response"} {
			for _, value := range strings.Fields(c.good) {
				d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
				if err := d.Append(tensorEvent(half, datatype, value)); err != nil || p.Len() != 1 {
					t.Errorf("%s: %s of %s: %v", half, datatype, value, err)
				}
			}
			for _, value := range strings.Fields(c.refused) {
				d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
				err := d.Append(tensorEvent(half, datatype, value))
				reason, field := reasonOf(err)
				if reason != WrongType || p.Len() != 0 || !strings.HasSuffix(field, "puts[0].data[0]") || !strings.Contains(err.Error(), datatype) || !strings.Contains(err.Error(), `"x"`) {
					t.Errorf("%s: %s of %s: %v", half, datatype, value, err)
				}
			}
		}
	}
}

// The largest whole numbers are told apart by how they are written. As features
// they may be rounded.
func TestLargestWholeTensorValues(t *testing.T) {
	for value, datatype := range map[string]string{
		"18446744073709551615": "UINT64", "9223372036854775807": "INT64", "-9223372036854775808": "INT64",
	} {
		d, _ := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
		if err := d.Append(tensorEvent("request", datatype, value)); err != nil {
			t.Errorf("%s of %s: %v", datatype, value, err)
		}
	}
}

func TestUnknownDatatypesAreRefused(t *testing.T) {
	for _, datatype := range []string{"BANANA", "int64", "", "FP8", "INT128", "STRING"} {
		for _, half := range []string{"request", "response"} {
			d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
			err := d.Append(tensorEvent(half, datatype, "1"))
			if reason, field := reasonOf(err); reason != BadValue || !strings.HasSuffix(field, "puts[0].datatype") || p.Len() != 0 {
				t.Errorf("%s of %q: %v", half, datatype, err)
			}
		}
	}
}

// Null is a feature that is null, a NaN where a model answers with floats, as
// MLServer and KServe write it, and no class; whole numbers and booleans have none.
func TestNullsInTensors(t *testing.T) {
	for _, datatype := range []string{"BOOL", "INT64", "UINT8", "FP32", "FP64", "BYTES"} {
		d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
		if err := d.Append(tensorEvent("request", datatype, "null")); err != nil {
			t.Errorf("%s: %v", datatype, err)
		} else if r := readRow(p, 0); len(r.numbers)+len(r.categories) != 0 {
			t.Errorf("%s: a null is %v %v", datatype, r.numbers, r.categories)
		}
		d, p = openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
		err := d.Append(tensorEvent("response", datatype, "null"))
		switch datatype {
		case "FP32", "FP64":
			if v, ok := p.Score.At(0); err != nil || !ok || !math.IsNaN(v) {
				t.Errorf("%s: score %v %t, %v", datatype, v, ok, err)
			}
		case "BYTES":
			if err != nil || len(p.Predicted.At(0)) != 0 {
				t.Errorf("%s: %v", datatype, err)
			}
		default:
			if reason, _ := reasonOf(err); reason != WrongType || p.Len() != 0 {
				t.Errorf("%s: %v", datatype, err)
			}
		}
	}
}

// The booleans of all encodings are one category, and a class that is empty is
// none.
func TestTensorBooleansAndEmptyClasses(t *testing.T) {
	d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
	for _, value := range []string{"1", "true"} {
		if err := d.Append(tensorEvent("request", "BOOL", value)); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(readRow(p, 0).categories, readRow(p, 1).categories); got != "map[x:true] map[x:true]" {
		t.Error(got)
	}
	d, _ = openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
	if reason, field := reasonOf(d.Append(tensorEvent("response", "BYTES", `""`))); reason != BadValue || field != "predicted" {
		t.Errorf("an empty class: %s of %q", reason, field)
	}
}

// An error says where the value stands and what it is, but not what a text says.
func TestTensorErrorsNameTheValue(t *testing.T) {
	for data, want := range map[string]string{
		`"shape":[2,2],"datatype":"INT32","data":[[1,2],[3,4.5]]`:          `wrong_type: field "inputs[0].data[1][1]": 4.5 is no INT32, which the tensor "age" says it holds; send a whole number from -2147483648 to 2147483647`,
		`"shape":[1],"datatype":"FP32","data":["0.91"]`:                    `"0.91" is no FP32`,
		`"shape":[1],"datatype":"FP32","data":["ann@example.org"]`:         `a text is no FP32`,
		`"shape":[1],"datatype":"UINT64","data":[18446744073709551616]`:    `18446744073709551616 is no UINT64`,
		`"shape":[1],"datatype":"BOOL","data":[7]`:                         `7 is no BOOL, which the tensor "age" says it holds; send true or false`,
		`"shape":[1],"datatype":"UINT64","data":[-18446744073709551616.5]`: `from 0 to 18446744073709551615`,
		`"shape":[1],"datatype":"INT64","data":[0.5]`:                      `from -9223372036854775808 to 9223372036854775807`,
	} {
		d, _ := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
		err := d.Append(Record{Known: testKnown, Headers: kserve("request"), Value: []byte(`{"inputs":[{"name":"age",` + data + `}]}`)})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "ann@") {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// A request may name the outputs that it asks for, which have no data.
func TestRequestsThatNameTheirOutputs(t *testing.T) {
	d, p := openHalf(t, Source{Topic: "k", Format: FormatKServe, Deploy: "d1"})
	err := d.Append(Record{Known: testKnown, Headers: kserve("request"), Value: []byte(`{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}],"outputs":[{"name":"p"}]}`)})
	if err != nil || p.Len() != 1 {
		t.Errorf("%v, %d rows", err, p.Len())
	}
}

// The typed contents of a Protobuf tensor are of its datatype too.
func TestProtobufTensorsMatchTheirDatatype(t *testing.T) {
	fp32 := func(v float32) pb {
		return pb(nil).text(6, string(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))))
	}
	for name, c := range map[string]struct {
		datatype string
		contents pb
		reason   Reason
	}{
		"INT64":           {"INT64", pb(nil).packed(3, math.MaxUint64), 0},
		"UINT8":           {"UINT8", pb(nil).packed(4, 255), 0},
		"UINT8 of 300":    {"UINT8", pb(nil).packed(4, 300), WrongType},
		"INT64 of 1.5":    {"INT64", pb(nil).fp64(7, 1.5), WrongType},
		"FP16 as FP32":    {"FP16", fp32(1.5), 0},
		"FP32 of a text":  {"FP32", pb(nil).text(8, "0.91"), WrongType},
		"BYTES of 5":      {"BYTES", pb(nil).packed(3, 5), WrongType},
		"BYTES":           {"BYTES", pb(nil).text(8, "late"), 0},
		"BOOL":            {"BOOL", pb(nil).packed(1, 1), 0},
		"BOOL of 1":       {"BOOL", pb(nil).packed(3, 1), WrongType},
		"of no such type": {"BANANA", pb(nil).packed(3, 1), BadValue},
		"of none":         {"", pb(nil).packed(3, 1), 0},
	} {
		d, p := openHalf(t, Source{Topic: "seldon.prod.model.income.inputs", Format: FormatSeldon, Deploy: "d"})
		tensor := pb(nil).text(1, "age")
		if c.datatype != "" {
			tensor = tensor.text(2, c.datatype)
		}
		tensor = tensor.packed(protowire.Number(3), 1).text(5, string(c.contents))
		err := d.Append(Record{Known: testKnown, Key: []byte("k"), Value: pb(nil).text(5, string(tensor))})
		reason, field := reasonOf(err)
		if reason != c.reason || reason != 0 && field != "age" || reason == 0 && p.Len() != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
