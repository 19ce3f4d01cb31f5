package workload

import (
	"strings"
	"time"
	_ "time/tzdata" // a zone is known or not, whatever machine looks at it

	"github.com/robfig/cron/v3"
)

// checkCron checks when a CronJob or a WorkQueue's schedule is due; path is
// what has the fields.
func (d *Document) checkCron(schedule string, zone *string, path string) {
	at := path + ".schedule"
	fields := strings.Fields(schedule)
	const allowed = "minute, hour, day of month, month and day of week are allowed, as in \"30 4 * * 1-5\", or @hourly and the like"
	switch {
	case len(fields) == 0:
		d.refuse(at, "required: %s", allowed)
	case strings.Contains(schedule, "TZ="):
		d.refuse(at, "%s names a zone: use %s.timeZone for that", clip(schedule), path)
	case !strings.HasPrefix(schedule, "@") && len(fields) != 5:
		d.refuse(at, "%s has %d fields: %s", clip(schedule), len(fields), allowed)
	default:
		due, err := cron.ParseStandard(schedule)
		if err != nil {
			d.refuse(at, "%s: %v: %s", clip(schedule), err, allowed)
		} else if due.Next(time.Unix(0, 0)).IsZero() {
			d.refuse(at, "%s is never due: no year has that day", clip(schedule))
		}
	}
	if zone == nil {
		return
	}
	if _, err := time.LoadLocation(*zone); err != nil || *zone == "" || strings.EqualFold(*zone, "Local") {
		d.refuse(path+".timeZone", "unknown zone %s: a name of the IANA's list is allowed, such as Europe/Berlin or Etc/UTC", clip(*zone))
	}
}
