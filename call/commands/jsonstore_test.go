package commands

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/kv"
)

// asked runs the JSON command store and returns its status and response.
func (b *box) asked(data string) (status, response string) {
	b.t.Helper()
	var answer struct {
		Status   string
		Response json.RawMessage
	}
	if out := b.run(`json {"command":"store","data":` + data + `}`); json.Unmarshal([]byte(out), &answer) != nil {
		b.t.Fatalf("%s: %s", data, out)
	}
	return answer.Status, string(answer.Response)
}

func TestJSONStore(t *testing.T) {
	b := newBox(t, nil)
	for _, c := range []struct{ data, status, response string }{
		{`null`, "error", `{"errorMessage":"INVALID INPUT, Command not supplied"}`},
		{`{"cmd":"nope"}`, "error", `{"errorMessage":"INVALID INPUT, Unknown Command"}`},
		{`{"cmd":"add"}`, "error", `{"errorMessage":"INVALID INPUT, No key supplied"}`},
		{`{"cmd":"add","key":"a"}`, "error", `{"errorMessage":"INVALID INPUT"}`},
		{`{"cmd":"commit"}`, "error", `{"errorMessage":"INVALID INPUT, No file specified"}`},
		{`{"cmd":"retrieve"}`, "error", `{"errorMessage":"INVALID INPUT, No file specified"}`},
		{`{"cmd":"retrieve","file":"one"}`, "error", `{"errorMessage":"CANNOT LOAD DATA"}`},
		{`{"cmd":"dump","uuid":"nobody"}`, "error", `{"errorMessage":"Invalid INPUT, Missing UUID"}`},
		{`{"cmd":"dump"}`, "success", `{"data":{},"message":"Data Dumped"}`},
		{`{"cmd":"ADD","key":"a","a":{"x":[1,"<&>"]}}`, "success", `{"message":"Item Added"}`},
		{`{"cmd":"add","key":"b","b":2,"verbose":"true"}`, "success", `{"data":2,"message":"Data Dumped"}`},
		{`{"cmd":"dump"}`, "success", `{"data":{"a":{"x":[1,"<&>"]},"b":2},"message":"Data Dumped"}`},
		{`{"cmd":"dump","key":"A"}`, "success", `{"data":{"x":[1,"<&>"]},"message":"Data Dumped"}`},
		{`{"cmd":"dump","key":"c"}`, "error", `{"errorMessage":"Key not found"}`},
		{`{"cmd":"dump","storeName":"other"}`, "success", `{"data":{},"message":"Data Dumped"}`},
		{`{"cmd":"commit","file":"one"}`, "success", `{"commitStatus":"success","message":"Message Comitted"}`},
		{`{"cmd":"commit","file":"../one"}`, "success", `{"commitStatus":"fail","message":"Message Comitted"}`},
		{`{"cmd":"del","key":"a","verbose":"true"}`, "success", `{"errorMessage":"Key not found","message":"Item Deleted"}`},
		{`{"cmd":"del","commit":"two"}`, "success", `{"commitStatus":"success","message":"Store Deleted"}`},
		{`{"cmd":"dump"}`, "success", `{"data":{},"message":"Data Dumped"}`},
		{`{"cmd":"retrieve","file":"one","storeName":"other"}`, "success", `{"message":"Store Loaded"}`},
		{`{"cmd":"dump","storeName":"other"}`, "success", `{"data":{"a":{"x":[1,"<&>"]},"b":2},"message":"Data Dumped"}`},
		{`{"cmd":"retrieve","file":"../one","storeName":"other"}`, "error", `{"errorMessage":"CANNOT LOAD DATA"}`},
		{`{"cmd":"add","key":"big","big":"` + strings.Repeat("x", kv.MaxObject) + `"}`, "error", `{"errorMessage":"Store is full"}`},
	} {
		if status, response := b.asked(c.data); status != c.status || response != c.response {
			t.Errorf("%.100s: %s %s, want %s %s", c.data, status, response, c.status, c.response)
		}
	}
}

// What a call keeps is its own, and is left in a variable when it ends.
func TestJSONStore_OfACall(t *testing.T) {
	b := newBox(t, nil)
	ch := b.call()
	left := make(chan string, 1)
	for _, c := range []struct{ data, response string }{
		{`{"cmd":"add","key":"a","a":"${x}","uuid":"%s"}`, `{"message":"Item Added"}`},
		{`{"cmd":"dump","uuid":"%s"}`, `{"data":{"a":"${x}"},"message":"Data Dumped"}`},
		{`{"cmd":"commit","file":"call","uuid":"%s"}`, `{"commitStatus":"success","message":"Message Comitted"}`},
		{`{"cmd":"retrieve","file":"nothing","uuid":"%s"}`, `{"errorMessage":"CANNOT LOAD DATA"}`},
		{`{"cmd":"add","key":"b","b":"` + strings.Repeat("x", kv.MaxCallObject) + `","uuid":"%s"}`, `{"errorMessage":"Store is full"}`},
	} {
		data := fmt.Sprintf(c.data, ch.UUID())
		if _, response := b.asked(data); response != c.response {
			t.Errorf("%.100s: %s, want %s", data, response, c.response)
		}
	}
	if _, response := b.asked(`{"cmd":"dump"}`); response != `{"data":{},"message":"Data Dumped"}` {
		t.Errorf("without a call: %s", response)
	}
	ch.OnHangup(func(c *call.Channel) { left <- c.Get("json_store_data") })
	ch.Hangup(call.CauseNormalClearing)
	select {
	case text := <-left:
		if text != `{"a":"%{x}"}` {
			t.Errorf("left %s", text)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the call does not end")
	}
	if _, response := b.asked(`{"cmd":"dump","uuid":"` + ch.UUID() + `"}`); response != `{"errorMessage":"Invalid INPUT, Missing UUID"}` {
		t.Errorf("after its end: %s", response)
	}
}
