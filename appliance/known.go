package appliance

import (
	"strings"

	"github.com/switchlet/switchlet/conf"
)

// knownParams are the parameters that the rooms read, by the file or element that
// they stand in. Behind the bar are those that need not be read: what they ask
// for is so anyway, or is about a machine that is not there.
var knownParams = map[string]string{
	"acl.conf":     "",
	"cdr_csv.conf": "log-base default-template legs rotate-on-hup master-file-only history history-days | debug",
	"conference.conf": `rate interval domain pin moderator-pin pin-retries max-members energy-level auto-energy-level auto-energy-seconds
 auto-gain-level auto-gain-low-energy-level auto-gain-margin auto-gain-change-factor auto-gain-period-len auto-record
 min-required-recording-participants caller-controls moderator-controls caller-id-name caller-id-number cdr-event-mode cdr-log-dir
 comfort-noise conference-flags member-flags endconf-grace-time heartbeat-period-sec ivr-dtmf-timeout sound-prefix suppress-events
 terminate-on-silence verbose-events alone-sound bad-pin-sound deaf-sound enter-sound exit-sound is-locked-sound is-unlocked-sound
 join-only-sound kicked-sound locked-sound max-members-sound member-enter-sound moh-sound mute-detect-sound muted-sound
 announce-count tts-engine tts-voice perpetual-sound pin-sound undeaf-sound unmuted-sound | timer-name channels`,
	"console.conf":      "loglevel colorize uuid | json",
	"databases.conf":    "",
	"db.conf":           "",
	"event_socket.conf": "listen-ip listen-port password apply-inbound-acl stop-on-bind-error debug event-queue-size | nat-map",
	"hash.conf":         "",
	"ivr.conf":          "",
	"local_stream.conf": "shuffle volume auto-volume auto-volume-low-point chime-list chime-freq chime-max | rate channels interval timer-name prebuf",
	"logfile.conf":      "rotate-on-hup logfile rollover maximum-rotate uuid",
	"lua.conf":          `module-directory script-directory xml-handler-script xml-handler-bindings startup-script auto-hangup memory-limit compute-limit max-scripts`,
	"opus.conf": `use-vbr use-dtx complexity packet-loss-percent keep-fec-enabled advertise-useinbandfec maxaveragebitrate maxplaybackrate
 sprop-maxcapturerate adjust-bitrate | use-jb-lookahead asymmetric-sample-rates bitrate-negotiation mono`,
	"modules.conf": "", "pre_load_modules.conf": "", "post_load_modules.conf": "",
	"sofia.conf": "| log-level debug-presence auto-restart inbound-reg-in-new-thread",
	"sofia.conf/profile": `ndlb-force-rport accept-blind-auth accept-blind-reg aggressive-nat-detection all-reg-options-ping allow-empty-password
 allow-update apply-inbound-acl apply-nat-acl apply-proxy-acl apply-register-acl auth-all-packets auth-calls auth-calls-acl-only auth-messages
 auth-subscriptions auto-jitterbuffer-msec caller-id-type challenge-realm cid-in-1xx codec-prefs confirm-blind-transfer contact-user context dialplan disable-hold
 disable-transcoding parse-all-invite-headers parse-invite-tel-params update-refresher
 disable-register disable-rtp-auto-adjust disable-transfer dtmf-type enable-100rel enable-compact-headers enable-timer ext-rtp-ip ext-sip-ip
 fire-transfer-events force-register-db-domain force-register-domain force-subscription-domain force-subscription-expires full-id-in-dialplan hold-music inbound-codec-negotiation
 inbound-codec-prefs inbound-late-negotiation inbound-reg-force-matching-username inbound-use-callid-as-uuid liberal-dtmf
 local-network-acl log-auth-failures manage-presence manual-redirect max-proceeding max-recv-requests-per-second
 max-registrations-per-extension minimum-session-expires multiple-registrations nat-options-ping nonce-ttl outbound-codec-prefs
 outbound-proxy outbound-use-uuid-as-callid p-asserted-id-parse pass-callee-id pass-rfc2833 ping-mean-interval presence-disable-early presence-hold-state presence-hosts
 presence-privacy record-path record-template
 rfc2833-pt rfc8760-auth-algorithms rtcp-audio-interval-msec rtp-digit-delay rtp-hold-timeout-sec rtp-ip rtp-timeout-sec send-display-update
 session-timeout sip-expires-late-margin sip-expires-max-deviation sip-force-expires sip-force-expires-max sip-force-expires-min
 sip-ip sip-messages-respond-200-ok sip-options-respond-503-on-busy sip-port sip-subscribe-respond-200-ok sip-trace
 sip-user-ping-max sip-user-ping-min suppress-cng timer-t1x64 tls tls-only tls-sip-port tls-cert-dir tls-version tls-verify-policy tls-verify-date tls-verify-depth
 tls-verify-in-subjects tls-passphrase unregister-on-options-fail user-agent-filter ws-binding wss-binding
 user-agent-string username | debug ping-thread-frequency registration-thread-frequency rtp-autofix-timing rtp-notimer-during-bridge use-rtp-timer watchdog-enabled watchdog-step-timeout watchdog-event-timeout rtp-timer-name tls-bind-params
 dtmf-duration`,
	"sofia.conf/gateway": `908-retry-seconds auth-username caller-id-in-from contact-host contact-in-ping contact-params context destination-prefix
 distinct-to expire-seconds extension extension-in-contact from-domain from-user gw-auth-acl outbound-proxy password ping ping-max
 ping-min ping-monitoring ping-user-agent proxy realm register register-proxy register-transport retry-seconds timeout-seconds username`,
	"switch.conf": `max-sessions sessions-per-second loglevel event-heartbeat-interval switchname rtp-start-port rtp-end-port max-db-handles
 db-handle-timeout allow-shell allow_shell mailer-app mailer-app-args auto-create-schemas auto-clear-sql
 | min-dtmf-duration max-dtmf-duration default-dtmf-duration multiple-registrations colorize-console dialplan-timestamps
 verbose-channel-events threaded-system-exec uuid-version min-idle-cpu tipping-point enable-early-hangup api-expansion
 rtp-port-usage-robustness 1ms-timer timer-affinity max-audio-channels core-db-name debug-level`,
	"timezones.conf": "", "tts.conf": "", "tts_commandline.conf": "command",
	"xml_rpc.conf": "auth-realm auth-user auth-pass | http-port commands-to-log",
	"verto.conf":   "detach-timeout-sec enable-presence enable-fs-events send-auth-password | debug kslog",
	"verto.conf/profile": `bind-local secure-combined secure-cert secure-key secure-chain userauth blind-reg root-password context dialplan
 inbound-codec-string outbound-codec-string auto-jitterbuffer-msec rtp-ip ext-rtp-ip local-network apply-candidate-acl
 apply-connection-acl force-register-domain chop-domain send-auth-password allowed-origins allow-client-caller-id
 ice-server turn-username turn-password turn-secret enable-text
 | timer-name debug`,
	"verto.conf/vhost": "root index auth-realm auth-user auth-pass",
	"directory": `password a1-hash dial-string group-dial-string dial-var-* auth-acl allow-empty-password sip-forbid-register
 sip-force-contact sip-allow-multiple-registrations mwi-account jsonrpc-password jsonrpc-allowed-methods jsonrpc-allowed-jsapi
 jsonrpc-allowed-fsapi jsonrpc-allowed-event-channels verto-context verto-dialplan esl-password esl-allowed-log
 esl-allowed-events esl-allowed-api`,
}

// parameters is the table in the form that conf.Check wants.
func parameters() map[string]map[string]bool {
	out := make(map[string]map[string]bool, len(knownParams))
	for place, words := range knownParams {
		out[place] = map[string]bool{}
		for _, name := range strings.Fields(words) {
			if name != "|" {
				out[place][name] = true
			}
		}
	}
	return out
}

// known is what this switch understands, for conf.Check.
func (b *Box) known() conf.Known {
	k := conf.Known{Modules: map[string]bool{}, Applications: map[string]bool{}, Remarks: map[string]string{}, Params: parameters()}
	for _, m := range modules {
		k.Modules[m] = true
	}
	for _, a := range b.Switch.Applications() {
		k.Applications[strings.ToLower(a.Name)] = true
	}
	for name, missing := range partlyApplications {
		if !b.allowShell() || name != "system" && name != "bgsystem" {
			k.Remarks[name] = missing
		}
	}
	return k
}

// Parameters says of each parameter that the switch knows, by the place that it
// stands in ("sofia.conf/profile"), "yes" when a room reads it and "partly" when
// it is accepted and need not be read.
func (b *Box) Parameters() map[string]map[string]string {
	out := make(map[string]map[string]string, len(knownParams))
	for place, words := range knownParams {
		out[place] = map[string]string{}
		answer := "yes"
		for _, name := range strings.Fields(words) {
			if name == "|" {
				answer = "partly"
				continue
			}
			out[place][name] = answer
		}
	}
	return out
}
