package graph

import (
	"strconv"
	"strings"
)

// Title says in a few words what the step does.
func (s *Step) Title() string {
	switch s.Kind {
	case CreateTopic:
		return "create topic " + title(s.Topic)
	case GrantACLs:
		return "give " + title(s.Principal) + " its rules on the target"
	case SetQuota:
		return "set quota of " + title(s.Entity.String()) + " on the target"
	case CreateUser:
		return "create user " + title(s.User)
	case Override:
		return "prepare " + topicsTitle(s) + " on the target for the copy"
	case MirrorStart:
		return "start to copy " + topicsTitle(s)
	case CaughtUp:
		if len(s.Topics) > 0 {
			return "wait until the copy of " + topicsTitle(s) + " has caught up"
		}
		return "wait until the copy has caught up"
	case MirrorDrain:
		return "copy the rest of " + topicsTitle(s)
	case MirrorStop:
		return "end the copy of " + topicsTitle(s)
	case Hold:
		return "hold " + title(s.Topic) + " on the target"
	case Stop:
		return "stop " + title(s.Service) + " on the " + s.Side.String() + byHand(s)
	case Fence:
		return "deny " + fencedTitle(s) + " to write " + title(s.Topic) + " on the source"
	case Boundary:
		return "wait until " + title(s.Topic) + " is quiet"
	case Drain:
		return "drain " + title(s.Group) + inputsTitle(s)
	case Vacate:
		return "see " + title(s.Group) + " gone from the source"
	case Place:
		return "place offsets of " + title(s.Group) + " on the target"
	case Start:
		return "start " + title(s.Service) + " on the " + s.Side.String() + byHand(s)
	case Joined:
		return "see " + title(s.Group) + " joined on the target"
	case Works:
		return "see " + title(s.Group) + " working on the target"
	case Gate:
		return "pass " + GateAddress(s.Gate)
	case Release:
		return "release " + title(s.Topic) + " on the target"
	default:
		return string(s.Kind) + " " + s.Address
	}
}

// topicsTitle names the topics of a step of the mirror, or says how many.
func topicsTitle(s *Step) string {
	switch {
	case s.Topic != "":
		return title(s.Topic)
	case len(s.Topics) == 1:
		return title(s.Topics[0])
	default:
		return strconv.Itoa(len(s.Topics)) + " topics"
	}
}

// label is the title with what a gate waits for.
func (s *Step) label() string {
	if len(s.Conditions) == 0 {
		return s.Title()
	}
	return s.Title() + ": " + strings.Join(s.Conditions, ", ")
}

func fencedTitle(s *Step) string {
	if len(s.Principals) == 0 {
		return "its writers"
	}
	return strings.Join(s.Principals, ", ")
}

func byHand(s *Step) string {
	if s.Manual {
		return " (by hand)"
	}
	return ""
}

func inputsTitle(s *Step) string {
	var topics []string
	for _, t := range s.Topics {
		topics = append(topics, title(t))
	}
	for _, t := range s.Inner {
		topics = append(topics, title(t)+" (inner)")
	}
	if len(topics) == 0 {
		return ""
	}
	return " of " + strings.Join(topics, ", ")
}

// title writes a name so that it cannot be mistaken for the words around it:
// group names may hold anything.
func title(name string) string {
	if name == "" || strings.IndexFunc(name, unusual) >= 0 {
		return strconv.Quote(name)
	}
	return name
}

func unusual(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}
