package metric

// ID names a metric in findings, settings and SQL.
type ID string

// The metrics. A multi-class metric is the mean over classes (macro) unless it
// is a share of all predictions.
const (
	Accuracy    ID = "accuracy"
	Precision   ID = "precision"
	Recall      ID = "recall"
	Specificity ID = "specificity"
	F1          ID = "f1"
	MCC         ID = "mcc"
	ROCAUC      ID = "roc_auc"
	PRAUC       ID = "pr_auc"
	LogLoss     ID = "log_loss"
	Brier       ID = "brier"
	ECE         ID = "ece"

	MacroPrecision ID = "macro_precision"
	MacroRecall    ID = "macro_recall"
	MacroF1        ID = "macro_f1"
	MultiMCC       ID = "multi_mcc"
	TopK           ID = "top_k"
	MacroROCAUC    ID = "macro_roc_auc"
	WeightedROCAUC ID = "weighted_roc_auc"
	MacroPRAUC     ID = "macro_pr_auc"
	WeightedPRAUC  ID = "weighted_pr_auc"
	MultiLogLoss   ID = "multi_log_loss"
	MultiBrier     ID = "multi_brier"
	MacroECE       ID = "macro_ece"

	MAE     ID = "mae"
	RMSE    ID = "rmse"
	MAPE    ID = "mape"
	Bias    ID = "bias"
	R2      ID = "r2"
	Pinball ID = "pinball"

	NDCG    ID = "ndcg"
	MAP     ID = "map"
	MRR     ID = "mrr"
	HitRate ID = "hit_rate"

	BusinessValue ID = "business_value"
)

// Direction says which way a metric is good.
type Direction string

// The directions.
const (
	Higher Direction = "higher"
	Lower  Direction = "lower"
	// Zero is good at 0 and bad on either side.
	Zero Direction = "zero"
)

// Definition declares one metric.
type Definition struct {
	ID ID
	// Title is its name for people, Unit what a value of 1 is one of.
	Title, Unit string
	// Formula is what is computed: TP, FP, FN, TN are the counts of the confusion
	// matrix, y a truth, f a prediction or score, e = f - y, n the labels.
	Formula string
	// Method is how its interval is found, with the paper.
	Method string
	// Source is the paper or page that defines the metric.
	Source string
	Good   Direction
	Needs  Needs
}

// Table returns every metric, in the order in which values are listed.
func Table() []Definition {
	return append(append(binaryTable(), multiTable()...), append(regressionTable(), rankingTable()...)...)
}

// What intervals allow for that was never seen, see unseen.
const (
	empty = ", and a share 1-.025^(1/n) in a cell that is empty (Hanley & Lippman-Hand 1983)"
	far   = ", and a share 1-.025^(1/n) at the far end (Hanley & Lippman-Hand 1983)"
)

func binaryTable() []Definition {
	share := Needs{Labelled: minLabelled}
	found := Needs{Labelled: minLabelled, Positives: minClass}
	named := Needs{Labelled: minLabelled, Predicted: minClass}
	both := Needs{Labelled: minLabelled, Positives: minClass, Negatives: minClass}
	all := Needs{Labelled: minLabelled, Positives: minClass, Negatives: minClass, Predicted: minClass}
	return []Definition{
		{Accuracy, "accuracy", "share", "(TP+TN)/n", "Wilson 1927", "Fawcett 2006, section 2", Higher, share},
		{Precision, "precision", "share", "TP/(TP+FP)", "Wilson 1927", "Fawcett 2006, section 2", Higher, named},
		{Recall, "recall", "share", "TP/(TP+FN)", "Wilson 1927", "Fawcett 2006, section 2", Higher, found},
		{Specificity, "specificity", "share", "TN/(TN+FP)", "Wilson 1927", "Fawcett 2006, section 2", Higher,
			Needs{Labelled: minLabelled, Negatives: minClass}},
		{F1, "F1", "share", "2TP/(2TP+FP+FN)", "Wilson of J = TP/(TP+FP+FN), a share of the rows that are not TN; F1 = 2J/(1+J) grows with J", "van Rijsbergen 1979, chapter 7", Higher, found},
		{MCC, "Matthews correlation", "1", "(TP TN - FP FN)/sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN))", "delta method on the four counts, on Fisher's scale atanh (Bishop, Fienberg & Holland 1975, section 14.6)" + empty, "Matthews 1975", Higher, all},
		{ROCAUC, "ROC AUC", "share", "P(a positive scores above a negative), ties half", "DeLong, DeLong & Clarke-Pearson 1988, on the logit scale (Pepe 2003, section 5.2)", "Hanley & McNeil 1982", Higher, both},
		{PRAUC, "PR AUC (average precision)", "share", "sum over thresholds (R_k - R_k-1) P_k", "logit interval, Boyd, Eng & Page 2013, section 3.2", "Davis & Goadrich 2006; step-wise as in scikit-learn's average_precision_score", Higher, both},
		{LogLoss, "log loss", "nat", "-mean(y ln f + (1-y) ln(1-f))", "Student's t of the mean of per-event losses", "Good 1952, section 8", Lower, both},
		{Brier, "Brier score", "1", "mean (f-y)^2", "Student's t of the mean of per-event losses" + far, "Brier 1950", Lower, both},
		{ECE, "expected calibration error", "share", "sum over bins n_b/n |mean f - mean y|", "delta method over bins; its lower end also gives back the error that perfectly calibrated scores would show, sum n_b/n sqrt(2/pi) s_b", "Naeini, Cooper & Hauskrecht 2015, eq. 3", Lower, both},
	}
}

func multiTable() []Definition {
	each := Needs{Labelled: minLabelled, Positives: minClass}
	const source = "Sokolova & Lapalme 2009, table 3"
	const scored = "placements of DeLong, DeLong & Clarke-Pearson 1988, added over classes before they are squared, on the logit scale"
	const added = "standard errors of Boyd, Eng & Page 2013, section 3.2, added over classes, on the logit scale"
	const delta = "delta method on the multinomial counts of the confusion matrix (Takahashi et al. 2022, section 3)" + empty
	return []Definition{
		{MacroPrecision, "precision, mean over classes", "share", "mean over classes of n_kk/n_.k", delta, source, Higher, each},
		{MacroRecall, "recall, mean over classes", "share", "mean over classes of n_kk/n_k.", delta, source, Higher, each},
		{MacroF1, "F1, mean over classes", "share", "mean over classes of 2n_kk/(n_k.+n_.k)", delta, source, Higher, each},
		{MultiMCC, "Matthews correlation of several classes", "1", "(c n - sum p_k t_k)/sqrt((n^2-sum p_k^2)(n^2-sum t_k^2)), c right, p_k called and t_k true k", delta, "Gorodkin 2004, eq. 8", Higher, each},
		{TopK, "top-k accuracy", "share", "share of rows whose truth is among the k highest scores", "Wilson 1927", "Russakovsky et al. 2015, section 4.1", Higher, Needs{Labelled: minLabelled}},
		{MacroROCAUC, "ROC AUC of each class against the others, mean over classes", "share", "mean over classes of ROC AUC", scored, "Fawcett 2006, section 9; as scikit-learn's roc_auc_score, ovr and macro", Higher, each},
		{WeightedROCAUC, "ROC AUC of each class against the others, by labels", "share", "sum over classes of n_k./n times ROC AUC", scored, "Provost & Domingos 2001; as scikit-learn's roc_auc_score, ovr and weighted", Higher, each},
		{MacroPRAUC, "PR AUC of each class against the others, mean over classes", "share", "mean over classes of PR AUC", added, "as scikit-learn's average_precision_score, macro", Higher, each},
		{WeightedPRAUC, "PR AUC of each class against the others, by labels", "share", "sum over classes of n_k./n times PR AUC", added, "as scikit-learn's average_precision_score, weighted", Higher, each},
		{MultiLogLoss, "log loss of several classes", "nat", "-mean ln f of the true class", "Student's t of the mean of per-event losses", "Good 1952, section 8", Lower, each},
		{MultiBrier, "Brier score of several classes", "1", "mean over events of the sum over classes of (f-y)^2, 0 to 2", "Student's t of the mean of per-event losses" + far, "Brier 1950", Lower, each},
		{MacroECE, "calibration error of each class against the others, mean over classes", "share", "mean over classes of sum over bins n_b/n |mean f - mean y|", "means of the ends of each class", "Kull et al. 2019, section 2 (classwise ECE)", Lower, each},
		{BusinessValue, "value of a prediction", "unit of the matrix", "sum n_ij v_ij / n", "mid-P intervals (Lancaster 1961) of the shares of outcomes, put together as Zou & Donner 2008, section 2; positives and negatives are asked for where a value depends on the truth", "Elkan 2001, section 1", Higher,
			Needs{Labelled: minLabelled, Positives: minClass, Negatives: minClass}},
	}
}

func regressionTable() []Definition {
	rows := Needs{Labelled: minLabelled}
	const mean = "Student's t of the mean of per-event losses"
	return []Definition{
		{MAE, "mean absolute error", "unit of the target", "mean |e|", mean, "Willmott & Matsuura 2005", Lower, rows},
		{RMSE, "root mean squared error", "unit of the target", "sqrt(mean e^2)", "Student's t of the mean of e^2, through the root", "Willmott & Matsuura 2005", Lower, rows},
		{MAPE, "mean absolute percentage error", "share of the truth", "mean |e|/|y| over rows with y <> 0", mean, "Hyndman & Koehler 2006, section 2.2", Lower, rows},
		{Bias, "mean error", "unit of the target", "mean e", mean, "Hyndman & Koehler 2006, section 2.1", Zero, rows},
		{R2, "coefficient of determination", "1", "1 - sum e^2 / sum (y-mean y)^2", "delta method: influence (1-R2)(y-mean y)^2/s^2 - e^2/s^2, with Student's t", "Wright 1921", Higher, rows},
		{Pinball, "pinball loss of a quantile", "unit of the target", "mean max(q(y-f), (q-1)(y-f))", mean, "Koenker & Bassett 1978", Lower, rows},
	}
}

func rankingTable() []Definition {
	queries := Needs{Labelled: minLabelled}
	const mean = "Student's t of the mean over queries" + far
	return []Definition{
		{NDCG, "NDCG@k", "share", "mean over queries of DCG@k/ideal DCG@k, DCG = sum rel_i/log2(i+1)", mean, "Jarvelin & Kekalainen 2002, section 2", Higher, queries},
		{MAP, "MAP@k", "share", "mean over queries of sum_{i<=k, relevant} P@i / min(relevant, k)", mean, "Manning, Raghavan & Schutze 2008, section 8.4", Higher, queries},
		{MRR, "mean reciprocal rank", "share", "mean over queries of 1/rank of the first relevant, 0 without one", mean, "Voorhees 1999, section 3", Higher, queries},
		{HitRate, "hit rate@k", "share", "share of queries with a relevant item among the first k", "Wilson 1927", "Deshpande & Karypis 2004, section 5.3", Higher, queries},
	}
}

// Lookup returns the definition of a metric.
func Lookup(id ID) (Definition, bool) {
	for _, d := range Table() {
		if d.ID == id {
			return d, true
		}
	}
	return Definition{}, false
}
