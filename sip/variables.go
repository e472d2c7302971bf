package sip

import (
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"

	"github.com/switchlet/switchlet/call"
	"github.com/switchlet/switchlet/call/expand"
	"github.com/switchlet/switchlet/media/sdp"
)

// varList collects variables in order; empty values are left out.
type varList []call.Var

func (v *varList) add(name, value string) {
	if value != "" {
		*v = append(*v, call.Var{Name: name, Value: value})
	}
}

// inviteVars are the variables of an inbound call in the order of
// spec/esl.md §5.7, those of spec/sip.md §2.2.
func (p *Profile) inviteVars(l *leg, req *wire.Request, g grant, offer *sdp.Session) []call.Var {
	var v varList
	from, source := req.From(), sourceOf(req)
	s := p.settings()
	v.uri("sip_from", &from.Address)
	if params := from.Address.UriParams; len(params) > 0 {
		v.add("sip_from_params", params.ToString(';'))
	}
	for _, kind := range []string{"video", "audio", "text"} {
		v.add(kind+"_media_flow", "disabled")
	}
	v.add("channel_name", "sofia/"+p.name+"/"+channelUser(from))
	v.add("sip_call_id", l.callID)
	v.add("sip_local_network_addr", p.host(source.Addr()))
	v.add("sip_network_ip", source.Addr().String())
	v.add("sip_network_port", strconv.Itoa(int(source.Port())))
	v.add("sip_invite_stamp", strconv.FormatInt(time.Now().UnixMicro(), 10))
	v.add("sip_received_ip", source.Addr().String())
	v.add("sip_received_port", strconv.Itoa(int(source.Port())))
	v.add("sip_via_protocol", strings.ToLower(req.Transport()))
	v = append(v, g.vars...)
	if g.user != nil {
		v = append(v, userVars(g.user)...)
		if len(g.auth.username) == 0 {
			v.add("user_name", g.user.ID)
			v.add("domain_name", g.user.Domain)
		}
	}
	if l.target.next != "" && req.Transport() == "UDP" {
		v.add("sip_nat_detected", "true")
	}
	if s.managePresence {
		v.add("presence_id", uriAddress(&from.Address))
	}
	v.add("sip_from_user_stripped", strings.TrimPrefix(or(unescape(from.Address.User), "nobody"), "+"))
	v.add("sip_from_tag", l.remoteTag)
	v.add("sofia_profile_name", p.name)
	v.add("sofia_profile_url", p.url("udp"))
	v.add("sofia_profile_domain_name", s.domain)
	v.add("recovery_profile_name", p.name)
	v.add("sip_full_via", joined(req, "Via", "v"))
	v.add("sip_from_display", or(from.DisplayName, unescape(from.Address.User)))
	v.add("sip_full_from", from.Value())
	v.add("sip_to_display", req.To().DisplayName)
	v.add("sip_full_to", withoutTag(req.To().Value(), l.localTag))
	_, telParams, _ := strings.Cut(from.Address.User, ";")
	v.add("sip_name_params", telParams)
	v.uri("sip_req", &req.Recipient)
	if s.telParams {
		v.telParams(&req.Recipient)
	}
	if params := req.Recipient.UriParams; len(params) > 0 {
		v.add("sip_req_params", params.ToString(';'))
	}
	v.uri("sip_to", &req.To().Address)
	if params := req.To().Address.UriParams; len(params) > 0 {
		v.add("sip_to_params", params.ToString(';'))
	}
	v.uri("sip_contact", &req.Contact().Address)
	if params := req.Contact().Address.UriParams; len(params) > 0 {
		v.add("sip_contact_params", params.ToString(';'))
	}
	v.routes(req)
	v.identities(req, s.assertedAs)
	v.add("rtp_use_codec_string", s.codecsIn)
	v.add("sip_user_agent", header(req, "User-Agent"))
	v.add("sip_subject", get(req, "Subject"))
	v.add("sip_call_info", header(req, "Call-Info"))
	v.add("alert_info", header(req, "Alert-Info"))
	v.add("sip_accept_language", header(req, "Accept-Language"))
	v.add("sip_allow", header(req, "Allow"))
	v.add("sip_cseq", strconv.FormatUint(uint64(req.CSeq().SeqNo), 10))
	v.add("sip_via_host", req.Via().Host)
	v.add("sip_via_port", viaPort(req.Via()))
	v.add("sip_via_rport", param(req.Via().Params, "rport"))
	if mf := req.MaxForwards(); mf != nil {
		v.add("max_forwards", strconv.Itoa(int(mf.Val())))
	} else {
		v.add("max_forwards", "70")
	}
	v.headers(req)
	v.references(req)
	v.add("sip_multipart", attachments(req))
	if s.allHeaders {
		v.everyHeader(req)
	}
	if offer != nil {
		text := sdpOf(req)
		v.add("switch_r_sdp", string(text))
		if suite := offeredSuite(text); suite != "" {
			v.add("rtp_has_crypto", suite)
		}
	}
	return v
}

// uri adds PREFIX_user, _port, _uri and _host.
func (v *varList) uri(prefix string, u *wire.Uri) {
	user := or(unescape(u.User), "nobody")
	if raw := u.Raw(); raw != "" {
		user, _, _ = strings.Cut(raw, ";")
	}
	v.add(prefix+"_user", user)
	if u.Port > 0 {
		v.add(prefix+"_port", strconv.Itoa(u.Port))
	}
	v.add(prefix+"_uri", uriAddress(u))
	v.add(prefix+"_host", or(u.Host, "nowhere"))
}

// routes adds what the request says about its way.
func (v *varList) routes(req *wire.Request) {
	v.add("sip_full_route", joined(req, "Route", ""))
	v.add("sip_invite_record_route", joined(req, "Record-Route", ""))
	if rr := req.GetHeaders("Record-Route"); len(rr) > 0 {
		v.add("sip_invite_route_uri", joined(req, "Record-Route", ""))
	}
}

// firstAddress is the first of the addresses of a header.
func firstAddress(value string) string {
	first, _, more := strings.Cut(value, ">,")
	if more {
		first += ">"
	}
	return first
}

// assertedIdentity is what a variable tells of P-Asserted-Identity, "" without a user.
func assertedIdentity(value, as string) string {
	a, err := parseNameAddr(firstAddress(value))
	user := a.uri.User
	if raw := a.uri.Raw(); raw != "" {
		user, _, _ = strings.Cut(raw, ";") // tel:
	}
	switch {
	case err != nil || user == "":
		return ""
	case as == "verbatim":
		return value
	case as == "user-domain" && a.uri.Host != "":
		return user + "@" + a.uri.Host
	}
	return user
}

// identities adds the headers about who calls. asserted is how much of
// P-Asserted-Identity is told: user-domain, verbatim, or the user alone.
func (v *varList) identities(req *wire.Request, asserted string) {
	kind := ""
	for _, h := range []struct{ header, kind string }{{"Remote-Party-ID", "rpid"}, {"P-Asserted-Identity", "pid"}, {"P-Preferred-Identity", "pid"}} {
		if value := header(req, h.header); value != "" {
			kind = h.kind
			if h.header == "P-Asserted-Identity" {
				value = assertedIdentity(value, asserted)
			}
			v.add("sip_"+h.header, value)
		}
	}
	v.add("sip_cid_type", kind)
	v.signatures(req)
	v.add("sip_Privacy", header(req, "Privacy"))
	v.add("sip_history_info", header(req, "History-Info"))
	v.add("sip_geolocation", header(req, "Geolocation"))
	for _, answer := range []string{"Call-Info", "Alert-Info"} {
		if strings.Contains(strings.ToLower(header(req, answer)), "answer-after") || strings.Contains(strings.ToLower(header(req, answer)), "auto answer") {
			v.add("sip_auto_answer_detected", "true")
			return
		}
	}
}

// signatures adds what STIR says of the caller (RFC 8224): the headers Identity and Date.
func (v *varList) signatures(req *wire.Request) {
	var all []string
	for _, name := range []string{"Identity", "y"} {
		for _, h := range req.GetHeaders(name) {
			if value := h.Value(); value != "" && len(value) <= maxHeaderValue && len(all) < maxParts {
				all = append(all, value)
			}
		}
	}
	v.add("sip_identity", expand.FormatArray(all))
	if len(all) > 0 {
		v.add("sip_h_identity", all[0])
	}
	if date, err := time.Parse(time.RFC1123, header(req, "Date")); err == nil {
		v.add("sip_date_epoch_time", strconv.FormatInt(date.Unix(), 10))
	}
}

// params adds PREFIXname for each of name=value;name, which is true then.
func (v *varList) params(prefix, list string) {
	count := 0
	for item := range strings.SplitSeq(list, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok {
			value = "true"
		}
		if count++; count <= maxParts && headerName(name) {
			v.add(prefix+name, value)
		}
	}
}

// telParams adds sip_invite_NAME for what stands in the user part behind the number,
// as "+4930;npdi;rn=+4940@host" has it, and takes it off sip_req_user.
func (v *varList) telParams(u *wire.Uri) {
	user, params, ok := strings.Cut(or(u.Raw(), u.User), ";")
	if !ok {
		return
	}
	*v = append(*v, call.Var{Name: "sip_req_user", Value: unescape(user)})
	v.params("sip_invite_", params)
}

// shortNames are the compact forms of headers that may have one, as sip_i_ names.
var shortNames = map[string]string{"a": "accept_contact", "b": "referred_by", "c": "content_type", "d": "request_disposition", "e": "content_encoding", "f": "from",
	"i": "call_id", "j": "reject_contact", "k": "supported", "l": "content_length", "m": "contact", "n": "identity_info", "o": "event", "r": "refer_to",
	"s": "subject", "t": "to", "u": "allow_events", "v": "via", "x": "session_expires", "y": "identity"}

// knownOnce are headers that stand once, or whose first one counts.
const knownOnce = " from to call_id cseq identity route max_forwards proxy_require contact user_agent subject priority organization in_reply_to accept_encoding accept_language allow require supported date timestamp expires min_expires session_expires min_se privacy mime_version content_type content_encoding content_language content_disposition content_length "

// everyHeader adds sip_i_NAME for every header of an INVITE (parse-all-invite-headers).
func (v *varList) everyHeader(req *wire.Request) {
	var names []string
	values := map[string][]string{}
	for i, h := range req.Headers() {
		if i == maxHeaderVars {
			break
		}
		name := strings.ReplaceAll(strings.ToLower(h.Name()), "-", "_")
		name = or(shortNames[name], name)
		if values[name] == nil {
			names = append(names, name)
		} else if strings.Contains(knownOnce, " "+name+" ") {
			continue
		}
		values[name] = append(values[name], clip(h.Value(), maxHeaderValue))
	}
	for _, name := range names {
		v.add("sip_i_"+name, expand.FormatArray(values[name]))
	}
}

// maxHeaderVars bounds the sip_h_ variables of one message, and their size.
const (
	maxHeaderVars  = 100
	maxHeaderValue = 4096
)

// copied reports whether a header becomes a sip_h_ variable. Those about who calls
// have variables of their own: they are not to go over to the other leg.
func copied(name string) bool {
	low := strings.ToLower(name)
	switch low {
	case "p-asserted-identity", "p-preferred-identity", "x-fs-support":
		return false
	}
	for _, prefix := range []string{"x-", "p-", "on", "k-"} {
		if strings.HasPrefix(low, prefix) {
			return true
		}
	}
	switch low {
	case "user-to-user", "diversion", "accept-language":
		return true
	}
	return false
}

// headers adds sip_h_NAME; a second one of a name is sip_h_NAME-1.
func (v *varList) headers(req wire.Message) {
	type lister interface{ Headers() []wire.Header }
	all, ok := req.(lister)
	if !ok {
		return
	}
	seen := map[string]int{}
	count := 0
	for _, h := range all.Headers() {
		if !copied(h.Name()) || count >= maxHeaderVars {
			continue
		}
		name := "sip_h_" + h.Name()
		if n := seen[h.Name()]; n > 0 {
			name += "-" + strconv.Itoa(n)
		}
		seen[h.Name()]++
		count++
		v.add(name, clip(h.Value(), maxHeaderValue))
	}
}

// references adds what Referred-By and Replaces say.
func (v *varList) references(req *wire.Request) {
	if value := get(req, "Referred-By"); value != "" {
		v.add("sip_h_Referred-By", value)
		if a, err := parseNameAddr(value); err == nil {
			v.add("sip_referred_by_user", unescape(a.uri.User))
			v.add("sip_referred_by_host", a.uri.Host)
			v.add("sip_referred_by_uri", uriAddress(&a.uri))
		}
	}
	if value := header(req, "Replaces"); value != "" {
		id, params, _ := strings.Cut(value, ";")
		v.add("sip_replaces_call_id", id)
		v.params("sip_replaces_", params)
	}
}

// joined are all values of a header, comma separated.
func joined(m wire.Message, name, short string) string {
	list := m.GetHeaders(name)
	if short != "" && len(list) == 0 {
		list = m.GetHeaders(short)
	}
	var b strings.Builder
	for i, h := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(h.Value())
	}
	return clip(b.String(), maxHeaderValue)
}

// withoutTag takes our own tag off a To value.
func withoutTag(value, tag string) string {
	return strings.Replace(value, ";tag="+tag, "", 1)
}

// setAddresses sets the variables about the headers of the call's INVITE that
// CHANNEL_HANGUP_COMPLETE has once more.
func setAddresses(ch *call.Channel, invite *wire.Request) {
	ch.SetPlain("sip_full_via", joined(invite, "Via", "v"))
	if from := invite.From(); from != nil {
		ch.SetPlain("sip_from_display", or(from.DisplayName, unescape(from.Address.User)))
		ch.SetPlain("sip_full_from", from.Value())
	}
	if to := invite.To(); to != nil {
		ch.SetPlain("sip_to_display", or(to.DisplayName, unescape(to.Address.User)))
		ch.SetPlain("sip_full_to", to.Value())
	}
}
