package interop

import (
	"strings"

	"github.com/switchlet/switchlet/esl"
)

// label writes an event as the recorded orders of docs/reference do: STATE X,
// CALLSTATE a>b, EXECUTE app, HANGUP cause, or the name without CHANNEL_.
func label(e *esl.Event) string {
	switch name := e.Name(); name {
	case "CHANNEL_STATE":
		return "STATE " + e.Get("Channel-State")
	case "CHANNEL_CALLSTATE":
		return "CALLSTATE " + e.Get("Original-Channel-Call-State") + ">" + e.Get("Channel-Call-State")
	case "CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE":
		return strings.TrimPrefix(name, "CHANNEL_") + " " + e.Get("Application")
	case "CHANNEL_HANGUP":
		return "HANGUP " + e.Get("Hangup-Cause")
	case "CALL_UPDATE":
		return "CALL_UPDATE " + e.Get("Direction")
	case "CUSTOM":
		return "CUSTOM " + e.Subclass()
	default:
		return strings.TrimPrefix(name, "CHANNEL_")
	}
}
