package endpoint

import (
	"context"

	"github.com/switchlet/switchlet/call"
)

// Error fails with the cause that is its data: error/USER_BUSY. An unknown name
// is NORMAL_CLEARING.
type Error struct{}

// Dial implements call.Endpoint.
func (Error) Dial(_ context.Context, _ *call.Switch, r *call.DialRequest) (*call.Channel, error) {
	// The dial string of an unregistered user is error/user_not_registered.
	return nil, call.ParseCause(r.Data)
}
