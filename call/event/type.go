package event

import "strings"

// Type is the name of an event, as it stands in Event-Name.
type Type string

// The events of FreeSWITCH, in the order of their numbers ([Type.Index]).
const (
	Custom                 Type = "CUSTOM"
	Clone                  Type = "CLONE"
	ChannelCreate          Type = "CHANNEL_CREATE"
	ChannelDestroy         Type = "CHANNEL_DESTROY"
	ChannelState           Type = "CHANNEL_STATE"
	ChannelCallstate       Type = "CHANNEL_CALLSTATE"
	ChannelAnswer          Type = "CHANNEL_ANSWER"
	ChannelHangup          Type = "CHANNEL_HANGUP"
	ChannelHangupComplete  Type = "CHANNEL_HANGUP_COMPLETE"
	ChannelExecute         Type = "CHANNEL_EXECUTE"
	ChannelExecuteComplete Type = "CHANNEL_EXECUTE_COMPLETE"
	ChannelHold            Type = "CHANNEL_HOLD"
	ChannelUnhold          Type = "CHANNEL_UNHOLD"
	ChannelBridge          Type = "CHANNEL_BRIDGE"
	ChannelUnbridge        Type = "CHANNEL_UNBRIDGE"
	ChannelProgress        Type = "CHANNEL_PROGRESS"
	ChannelProgressMedia   Type = "CHANNEL_PROGRESS_MEDIA"
	ChannelOutgoing        Type = "CHANNEL_OUTGOING"
	ChannelPark            Type = "CHANNEL_PARK"
	ChannelUnpark          Type = "CHANNEL_UNPARK"
	ChannelApplication     Type = "CHANNEL_APPLICATION"
	ChannelOriginate       Type = "CHANNEL_ORIGINATE"
	ChannelUUID            Type = "CHANNEL_UUID"
	API                    Type = "API"
	Log                    Type = "LOG"
	InboundChan            Type = "INBOUND_CHAN"
	OutboundChan           Type = "OUTBOUND_CHAN"
	Startup                Type = "STARTUP"
	Shutdown               Type = "SHUTDOWN"
	Publish                Type = "PUBLISH"
	Unpublish              Type = "UNPUBLISH"
	Talk                   Type = "TALK"
	NoTalk                 Type = "NOTALK"
	SessionCrash           Type = "SESSION_CRASH"
	ModuleLoad             Type = "MODULE_LOAD"
	ModuleUnload           Type = "MODULE_UNLOAD"
	DTMF                   Type = "DTMF"
	Message                Type = "MESSAGE"
	PresenceIn             Type = "PRESENCE_IN"
	NotifyIn               Type = "NOTIFY_IN"
	PresenceOut            Type = "PRESENCE_OUT"
	PresenceProbe          Type = "PRESENCE_PROBE"
	MessageWaiting         Type = "MESSAGE_WAITING"
	MessageQuery           Type = "MESSAGE_QUERY"
	Roster                 Type = "ROSTER"
	Codec                  Type = "CODEC"
	BackgroundJob          Type = "BACKGROUND_JOB"
	DetectedSpeech         Type = "DETECTED_SPEECH"
	DetectedTone           Type = "DETECTED_TONE"
	PrivateCommand         Type = "PRIVATE_COMMAND"
	Heartbeat              Type = "HEARTBEAT"
	Trap                   Type = "TRAP"
	AddSchedule            Type = "ADD_SCHEDULE"
	DelSchedule            Type = "DEL_SCHEDULE"
	ExeSchedule            Type = "EXE_SCHEDULE"
	ReSchedule             Type = "RE_SCHEDULE"
	ReloadXML              Type = "RELOADXML"
	Notify                 Type = "NOTIFY"
	PhoneFeature           Type = "PHONE_FEATURE"
	PhoneFeatureSubscribe  Type = "PHONE_FEATURE_SUBSCRIBE"
	SendMessage            Type = "SEND_MESSAGE"
	RecvMessage            Type = "RECV_MESSAGE"
	RequestParams          Type = "REQUEST_PARAMS"
	ChannelData            Type = "CHANNEL_DATA"
	General                Type = "GENERAL"
	Command                Type = "COMMAND"
	SessionHeartbeat       Type = "SESSION_HEARTBEAT"
	ClientDisconnected     Type = "CLIENT_DISCONNECTED"
	ServerDisconnected     Type = "SERVER_DISCONNECTED"
	SendInfo               Type = "SEND_INFO"
	RecvInfo               Type = "RECV_INFO"
	RecvRTCPMessage        Type = "RECV_RTCP_MESSAGE"
	SendRTCPMessage        Type = "SEND_RTCP_MESSAGE"
	CallSecure             Type = "CALL_SECURE"
	NAT                    Type = "NAT"
	RecordStart            Type = "RECORD_START"
	RecordStop             Type = "RECORD_STOP"
	PlaybackStart          Type = "PLAYBACK_START"
	PlaybackStop           Type = "PLAYBACK_STOP"
	CallUpdate             Type = "CALL_UPDATE"
	Failure                Type = "FAILURE"
	SocketData             Type = "SOCKET_DATA"
	MediaBugStart          Type = "MEDIA_BUG_START"
	MediaBugStop           Type = "MEDIA_BUG_STOP"
	ConferenceDataQuery    Type = "CONFERENCE_DATA_QUERY"
	ConferenceData         Type = "CONFERENCE_DATA"
	CallSetupReq           Type = "CALL_SETUP_REQ"
	CallSetupResult        Type = "CALL_SETUP_RESULT"
	CallDetail             Type = "CALL_DETAIL"
	DeviceState            Type = "DEVICE_STATE"
	Text                   Type = "TEXT"
	ShutdownRequested      Type = "SHUTDOWN_REQUESTED"
	CertReload             Type = "CERT_RELOAD"
	All                    Type = "ALL"
)

// types is the catalogue in the order of the type numbers.
var types = [...]Type{
	Custom,
	Clone,
	ChannelCreate,
	ChannelDestroy,
	ChannelState,
	ChannelCallstate,
	ChannelAnswer,
	ChannelHangup,
	ChannelHangupComplete,
	ChannelExecute,
	ChannelExecuteComplete,
	ChannelHold,
	ChannelUnhold,
	ChannelBridge,
	ChannelUnbridge,
	ChannelProgress,
	ChannelProgressMedia,
	ChannelOutgoing,
	ChannelPark,
	ChannelUnpark,
	ChannelApplication,
	ChannelOriginate,
	ChannelUUID,
	API,
	Log,
	InboundChan,
	OutboundChan,
	Startup,
	Shutdown,
	Publish,
	Unpublish,
	Talk,
	NoTalk,
	SessionCrash,
	ModuleLoad,
	ModuleUnload,
	DTMF,
	Message,
	PresenceIn,
	NotifyIn,
	PresenceOut,
	PresenceProbe,
	MessageWaiting,
	MessageQuery,
	Roster,
	Codec,
	BackgroundJob,
	DetectedSpeech,
	DetectedTone,
	PrivateCommand,
	Heartbeat,
	Trap,
	AddSchedule,
	DelSchedule,
	ExeSchedule,
	ReSchedule,
	ReloadXML,
	Notify,
	PhoneFeature,
	PhoneFeatureSubscribe,
	SendMessage,
	RecvMessage,
	RequestParams,
	ChannelData,
	General,
	Command,
	SessionHeartbeat,
	ClientDisconnected,
	ServerDisconnected,
	SendInfo,
	RecvInfo,
	RecvRTCPMessage,
	SendRTCPMessage,
	CallSecure,
	NAT,
	RecordStart,
	RecordStop,
	PlaybackStart,
	PlaybackStop,
	CallUpdate,
	Failure,
	SocketData,
	MediaBugStart,
	MediaBugStop,
	ConferenceDataQuery,
	ConferenceData,
	CallSetupReq,
	CallSetupResult,
	CallDetail,
	DeviceState,
	Text,
	ShutdownRequested,
	CertReload,
	All,
}

// numbers finds the number of a type by its name.
var numbers = func() map[Type]int {
	m := make(map[Type]int, len(types))
	for i, t := range types {
		m[t] = i
	}
	return m
}()

// Types returns every type in the order of its number, [All] last.
func Types() []Type { return append([]Type(nil), types[:]...) }

// ParseType finds a type by its name in any case, with or without the prefix
// SWITCH_EVENT_. It reports false for a name that is in no catalogue.
func ParseType(s string) (Type, bool) {
	const prefix = "SWITCH_EVENT_"
	const longest = 64
	if len(s) > longest {
		return "", false
	}
	i, ok := numbers[Type(strings.TrimPrefix(strings.ToUpper(s), prefix))]
	if !ok {
		return "", false
	}
	return types[i], true
}

// Index returns the number of the type (0 for CUSTOM), or -1 for a name that is
// in no catalogue.
func (t Type) Index() int {
	if i, ok := numbers[t]; ok {
		return i
	}
	return -1
}

// unique reports whether events of the type keep one header of a name only,
// the last that was added.
func (t Type) unique() bool {
	return t == ChannelData || t == RequestParams || t == Message
}
