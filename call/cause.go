package call

import (
	"errors"
	"strconv"
	"strings"
)

// Cause is why a call ended: a Q.850 number, or one of FreeSWITCH's own above
// 127 (spec/sip.md §10.4).
type Cause int

// The causes that code branches on; the table has all of them.
const (
	CauseNone                     Cause = 0
	CauseUnallocatedNumber        Cause = 1
	CauseNoRouteDestination       Cause = 3
	CauseNormalClearing           Cause = 16
	CauseUserBusy                 Cause = 17
	CauseNoUserResponse           Cause = 18
	CauseNoAnswer                 Cause = 19
	CauseSubscriberAbsent         Cause = 20
	CauseCallRejected             Cause = 21
	CauseRedirectionToNew         Cause = 23
	CauseExchangeRoutingError     Cause = 25
	CauseDestinationOutOfOrder    Cause = 27
	CauseInvalidNumberFormat      Cause = 28
	CauseNormalUnspecified        Cause = 31
	CauseNetworkOutOfOrder        Cause = 38
	CauseNormalTemporaryFailure   Cause = 41
	CauseSwitchCongestion         Cause = 42
	CauseRequestedChanUnavail     Cause = 44
	CauseBearerCapabilityNotAuth  Cause = 57
	CauseBearerCapabilityNotAvail Cause = 58
	CauseServiceUnavailable       Cause = 63
	CauseChanNotImplemented       Cause = 66
	CauseServiceNotImplemented    Cause = 79
	CauseIncompatibleDestination  Cause = 88
	CauseInvalidMsgUnspecified    Cause = 95
	CauseMandatoryIEMissing       Cause = 96
	CauseInvalidIEContents        Cause = 100
	CauseWrongCallState           Cause = 101
	CauseRecoveryOnTimerExpire    Cause = 102
	CauseInterworking             Cause = 127
	CauseSuccess                  Cause = 142
	CauseOriginatorCancel         Cause = 487
	CauseCrash                    Cause = 700
	CauseSystemShutdown           Cause = 701
	CauseLoseRace                 Cause = 702
	CauseManagerRequest           Cause = 703
	CauseBlindTransfer            Cause = 800
	CauseAttendedTransfer         Cause = 801
	CauseAllottedTimeout          Cause = 802
	CauseMediaTimeout             Cause = 804
	CausePickedOff                Cause = 805
	CauseUserNotRegistered        Cause = 806
	CauseProgressTimeout          Cause = 807
	CauseInvalidGateway           Cause = 808
	CauseGatewayDown              Cause = 809
	CauseInvalidURL               Cause = 810
	CauseInvalidProfile           Cause = 811
)

var causeNames = map[Cause]string{
	0: "NONE", 1: "UNALLOCATED_NUMBER", 2: "NO_ROUTE_TRANSIT_NET", 3: "NO_ROUTE_DESTINATION",
	6: "CHANNEL_UNACCEPTABLE", 7: "CALL_AWARDED_DELIVERED", 16: "NORMAL_CLEARING", 17: "USER_BUSY",
	18: "NO_USER_RESPONSE", 19: "NO_ANSWER", 20: "SUBSCRIBER_ABSENT", 21: "CALL_REJECTED",
	22: "NUMBER_CHANGED", 23: "REDIRECTION_TO_NEW_DESTINATION", 25: "EXCHANGE_ROUTING_ERROR",
	27: "DESTINATION_OUT_OF_ORDER", 28: "INVALID_NUMBER_FORMAT", 29: "FACILITY_REJECTED",
	30: "RESPONSE_TO_STATUS_ENQUIRY", 31: "NORMAL_UNSPECIFIED", 34: "NORMAL_CIRCUIT_CONGESTION",
	38: "NETWORK_OUT_OF_ORDER", 41: "NORMAL_TEMPORARY_FAILURE", 42: "SWITCH_CONGESTION",
	43: "ACCESS_INFO_DISCARDED", 44: "REQUESTED_CHAN_UNAVAIL", 45: "PRE_EMPTED",
	50: "FACILITY_NOT_SUBSCRIBED", 52: "OUTGOING_CALL_BARRED", 54: "INCOMING_CALL_BARRED",
	57: "BEARERCAPABILITY_NOTAUTH", 58: "BEARERCAPABILITY_NOTAVAIL", 63: "SERVICE_UNAVAILABLE",
	65: "BEARERCAPABILITY_NOTIMPL", 66: "CHAN_NOT_IMPLEMENTED", 69: "FACILITY_NOT_IMPLEMENTED",
	79: "SERVICE_NOT_IMPLEMENTED", 81: "INVALID_CALL_REFERENCE", 88: "INCOMPATIBLE_DESTINATION",
	95: "INVALID_MSG_UNSPECIFIED", 96: "MANDATORY_IE_MISSING", 97: "MESSAGE_TYPE_NONEXIST",
	98: "WRONG_MESSAGE", 99: "IE_NONEXIST", 100: "INVALID_IE_CONTENTS", 101: "WRONG_CALL_STATE",
	102: "RECOVERY_ON_TIMER_EXPIRE", 103: "MANDATORY_IE_LENGTH_ERROR", 111: "PROTOCOL_ERROR",
	127: "INTERWORKING", 142: "SUCCESS", 487: "ORIGINATOR_CANCEL", 700: "CRASH", 701: "SYSTEM_SHUTDOWN",
	702: "LOSE_RACE", 703: "MANAGER_REQUEST", 800: "BLIND_TRANSFER", 801: "ATTENDED_TRANSFER",
	802: "ALLOTTED_TIMEOUT", 803: "USER_CHALLENGE", 804: "MEDIA_TIMEOUT", 805: "PICKED_OFF",
	806: "USER_NOT_REGISTERED", 807: "PROGRESS_TIMEOUT", 808: "INVALID_GATEWAY", 809: "GATEWAY_DOWN",
	810: "INVALID_URL", 811: "INVALID_PROFILE", 812: "NO_PICKUP", 813: "SRTP_READ_ERROR", 814: "BOWOUT",
	815: "BUSY_EVERYWHERE", 816: "DECLINE", 817: "DOES_NOT_EXIST_ANYWHERE", 818: "NOT_ACCEPTABLE",
	819: "UNWANTED", 820: "NO_IDENTITY", 821: "BAD_IDENTITY_INFO", 822: "UNSUPPORTED_CERTIFICATE",
	823: "INVALID_IDENTITY", 824: "STALE_DATE", 825: "REJECT_ALL",
}

var causeNumbers = func() map[string]Cause {
	m := make(map[string]Cause, len(causeNames))
	for c, n := range causeNames {
		m[n] = c
	}
	return m
}()

func (c Cause) String() string {
	if n, ok := causeNames[c]; ok {
		return n
	}
	return "UNKNOWN"
}

// Q850 is the number that hangup_cause_q850 carries: 16 for FreeSWITCH's own
// causes.
func (c Cause) Q850() int {
	if c > 127 {
		return int(CauseNormalClearing)
	}
	return int(c)
}

// Error makes a Cause usable as the error of a failed dial.
func (c Cause) Error() string { return c.String() }

// ParseCause reads a cause's name (in any case) or number. Unknown text is
// NORMAL_CLEARING.
func ParseCause(s string) Cause {
	s = strings.TrimSpace(s)
	if c, ok := LookupCause(s); ok {
		return c
	}
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return Cause(n)
	}
	return CauseNormalClearing
}

// LookupCause finds a cause by name in any case.
func LookupCause(name string) (Cause, bool) {
	c, ok := causeNumbers[strings.ToUpper(name)]
	return c, ok
}

// CauseOf is the cause that err carries, or otherwise.
func CauseOf(err error, otherwise Cause) Cause {
	var c Cause
	if errors.As(err, &c) {
		return c
	}
	return otherwise
}
