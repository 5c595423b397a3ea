package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
)

// Time is a moment as the query protocols write it, with milliseconds.
func Time(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// Epoch is a moment as the JSON protocols write it, in seconds.
func Epoch(t time.Time) float64 {
	return float64(t.UnixMilli()) / 1000
}

type ec2Answer struct {
	XMLName   xml.Name
	Namespace string `xml:"xmlns,attr"`
	RequestID string `xml:"requestId"`
	Fields    []byte `xml:",innerxml"`
}

type queryAnswer struct {
	XMLName   xml.Name
	Namespace string `xml:"xmlns,attr"`
	Result    []byte `xml:",innerxml"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

// encode is the answer of an action: EC2 puts the fields at the root, the
// other query services wrap them in a result element.
func encode(s Service, c *Call, value any) ([]byte, error) {
	action := c.Operation.Action
	switch s.Protocol {
	case operation.JSON, operation.RESTJSON:
		if value == nil {
			value = struct{}{}
		}
		return json.Marshal(value)
	case operation.EC2Query:
		fields, err := element("x", value)
		if err != nil {
			return nil, err
		}
		fields = bytes.TrimSuffix(bytes.TrimPrefix(fields, []byte("<x>")), []byte("</x>"))
		return xml.Marshal(ec2Answer{xml.Name{Local: action + "Response"}, s.Namespace, c.RequestID, fields})
	case operation.Query:
		result, err := element(action+"Result", value)
		if err != nil {
			return nil, err
		}
		return xml.Marshal(queryAnswer{xml.Name{Local: action + "Response"}, s.Namespace, result, c.RequestID})
	}
	return nil, fmt.Errorf("service %s answers by itself", s.Name)
}

func element(name string, value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	var b bytes.Buffer
	err := xml.NewEncoder(&b).EncodeElement(value, xml.StartElement{Name: xml.Name{Local: name}})
	return b.Bytes(), err
}

func contentType(p operation.Protocol) string {
	switch p {
	case operation.JSON:
		return "application/x-amz-json-1.1"
	case operation.RESTJSON:
		return "application/json"
	}
	return "text/xml;charset=UTF-8"
}

func writeAnswer(w http.ResponseWriter, s Service, body []byte) {
	w.Header().Set("Content-Type", contentType(s.Protocol))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body)
}

// decodeJSON reads an input and names the field that has no place in it.
func decodeJSON(body []byte, into any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		return nil
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return Errorf("UnknownParameter", "The parameter %s is not recognized", strings.Trim(name, `"`))
	}
	return Errorf("SerializationException", "%v", err)
}
