package commands

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/kv"
)

// jsonObjects are what the JSON command store works on: objects by name, and one of
// each call that wants one.
type jsonObjects struct {
	named *kv.Objects
	mu    sync.Mutex // guards the objects of calls
}

// callObject is where a call keeps its object (call.Channel.SetPrivate).
const callObject = "json_store"

// use runs fn with the object of a call, or, without a call, that of a name.
func (s *jsonObjects) use(ch *call.Channel, name string, fn func(*kv.Object) error) error {
	if ch == nil {
		return s.named.Use(name, fn)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := ch.Private(callObject).(*kv.Object)
	if !ok {
		o = kv.NewObject(kv.MaxCallObject)
		ch.SetPrivate(callObject, o)
		ch.OnHangup(s.end)
	}
	return fn(o)
}

// end leaves what a call has kept in its variable json_store_data.
func (s *jsonObjects) end(ch *call.Channel) {
	o, ok := ch.Private(callObject).(*kv.Object)
	if !ok {
		return
	}
	s.mu.Lock()
	text := string(o.Text())
	s.mu.Unlock()
	ch.SetPlain("json_store_data", text)
}

// string is a member that is a string, and whether there is one.
func (o object) string(name string) (s string, ok bool) {
	raw := o.raw(name)
	ok = len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil
	return s, ok
}

// storeRequest is what is asked of the JSON command store.
type storeRequest struct {
	data         object
	cmd          string
	key          string
	keyed        bool // there is a key
	verbose      bool
	commit, file string
	committing   bool // there is commit
}

// refusal says what is missing of a request, "" if nothing is.
func (r *storeRequest) refusal() string {
	switch r.cmd {
	case "":
		return "INVALID INPUT, Command not supplied"
	case "add":
		if r.key == "" {
			return "INVALID INPUT, No key supplied"
		}
	case "commit", "retrieve":
		if r.file == "" {
			return "INVALID INPUT, No file specified"
		}
	case "del", "dump":
	default:
		return "INVALID INPUT, Unknown Command"
	}
	return ""
}

// apply does what is asked for to an object. text is the object as it is to be
// committed, dump what is to be shown.
func (r *storeRequest) apply(o *kv.Object, loaded []byte) (message, problem string, dump, text json.RawMessage) {
	switch r.cmd {
	case "retrieve":
		if o.Load(loaded) != nil {
			return "", "CANNOT LOAD DATA", nil, nil
		}
		message = "Store Loaded"
	case "add":
		value := r.data.raw(r.key)
		if value == nil {
			return "", "INVALID INPUT", nil, nil
		}
		if o.Set(r.key, value) != nil {
			return "", "Store is full", nil, nil
		}
		message = "Item Added"
	case "del":
		if r.keyed {
			o.Delete(r.key)
			message = "Item Deleted"
		} else {
			o.Clear()
			message = "Store Deleted"
		}
	}
	if r.verbose || r.cmd == "dump" {
		dump = json.RawMessage(o.Text())
		if r.keyed {
			dump, _ = o.Get(r.key)
		}
		if dump != nil {
			message = "Data Dumped"
		} else {
			problem = "Key not found"
		}
	}
	if r.committing || r.cmd == "commit" {
		text = json.RawMessage(o.Text())
	}
	return message, problem, dump, text
}

// jsonStore is the JSON command store: it keeps values by key in the object of a call
// (uuid) or of a name (storeName), shows them, and writes objects to the database or
// reads them back.
func (s *jsonObjects) jsonStore(_ context.Context, sw *call.Switch, data object) (any, bool) {
	refuse := func(text string) (any, bool) { return object{}.with("errorMessage", text), false }
	var ch *call.Channel
	if uuid, ok := data.string("uuid"); ok {
		if ch = sw.Find(uuid); ch == nil || ch.State() >= call.StateHangup {
			return refuse("Invalid INPUT, Missing UUID")
		}
	}
	name := data.text("storeName")
	if name == "" {
		name = "global"
	}
	r := storeRequest{data: data, cmd: strings.ToLower(data.text("cmd")), verbose: call.True(data.text("verbose")), file: data.text("file")}
	r.key, r.keyed = data.string("key")
	r.commit, r.committing = data.string("commit")
	if problem := r.refusal(); problem != "" {
		return refuse(problem)
	}
	var loaded []byte
	if r.cmd == "retrieve" {
		var err error
		if loaded, err = s.named.Committed(r.file); err != nil {
			return refuse("CANNOT LOAD DATA")
		}
	}
	var message, problem string
	var dump, text json.RawMessage
	if s.use(ch, name, func(o *kv.Object) error {
		message, problem, dump, text = r.apply(o, loaded)
		return nil
	}) != nil {
		return refuse("Store is full")
	}
	var answer object
	if dump != nil {
		answer = answer.with("data", dump)
	}
	if text != nil {
		file := r.file
		if file == "" {
			file = r.commit
		}
		status := "success"
		if err := s.named.Commit(file, text); err != nil {
			sw.Log.Printf(call.LogErr, "json store: %q is not committed: %v", file, err)
			status = "fail"
		}
		answer = answer.with("commitStatus", status)
		if message == "" {
			message = "Message Comitted"
		}
	}
	if problem != "" {
		answer = answer.with("errorMessage", problem)
	}
	if message != "" {
		answer = answer.with("message", message)
	}
	return answer, message != ""
}
