-- How far each indicator is counted.
SELECT sli, max(version), toUnixTimestamp(max(time)) FROM sli WHERE sli IN {slis:Array(String)} GROUP BY sli
