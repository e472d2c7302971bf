package say

import (
	"context"

	"github.com/switchlet/switchlet/call"
)

// Pieces are the names, completed with sound_prefix, of what a channel would be
// played for a request, module as for Say. Nothing is played.
func (a *Announcements) Pieces(ctx context.Context, ch *call.Channel, module string, r Request) ([]string, error) {
	var out []string
	listing := &Announcements{o: a.o, list: &out}
	_, err := listing.Say(ctx, ch, module, r, call.PlayOptions{})
	return out, err
}

// PhrasePieces is Pieces for a phrase macro. What a macro executes or has spoken
// is left out.
func (a *Announcements) PhrasePieces(ctx context.Context, ch *call.Channel, macro, data string) ([]string, error) {
	var out []string
	listing := &Announcements{o: a.o, list: &out}
	_, err := listing.Phrase(ctx, ch, macro, data, "", call.PlayOptions{})
	return out, err
}

// play plays a sound, or lists it.
func (a *Announcements) play(ctx context.Context, ch *call.Channel, uri string, o call.PlayOptions) (bool, error) {
	if a.list != nil {
		*a.list = append(*a.list, ch.SoundPath(uri))
		return true, nil
	}
	return ch.Play(ctx, uri, o)
}
