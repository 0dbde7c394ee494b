-- How far each indicator is counted.
SELECT sli, max(version) FROM sli WHERE sli IN {slis:Array(String)} GROUP BY sli
