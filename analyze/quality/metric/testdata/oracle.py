# Prints the values that oracle_test.go holds the package against:
#   pip install scikit-learn scipy numpy   (1.9.1, 1.17.1, 2.4.6)
#   python3 oracle.py
import numpy as np
from sklearn import metrics as M
n=200
i=np.arange(n)
# deterministic data any language can remake
y=((i*i+3*i)%7<3)
s=np.round(((i*37)%101)/101*0.6+0.35*y,3)
p=s>=.5
print('conf',M.confusion_matrix(y,p).tolist())
print('acc',M.accuracy_score(y,p),'prec',M.precision_score(y,p),'rec',M.recall_score(y,p),'spec',M.recall_score(~y,~p),'f1',M.f1_score(y,p),'mcc',M.matthews_corrcoef(y,p))
print('auc',M.roc_auc_score(y,s),'ap',M.average_precision_score(y,s),'ll',M.log_loss(y,s),'brier',M.brier_score_loss(y,s))
# DeLong brute force
P=s[y];N=s[~y]
psi=(P[:,None]>N[None])+.5*(P[:,None]==N[None])
print('delong var',psi.mean(1).var(ddof=1)/len(P)+psi.mean(0).var(ddof=1)/len(N))
b=np.clip((s*10).astype(int),0,9)
print('ece',sum(abs(s[b==k].mean()-y[b==k].mean())*(b==k).mean() for k in range(10) if (b==k).any()))
# multi
t=(i*i+i)%5%4; q=np.where((i*13)%10<7,t,(t+i//3)%3)
print('mat',M.confusion_matrix(t,q).tolist())
print(M.precision_score(t,q,average='macro'),M.recall_score(t,q,average='macro'),M.f1_score(t,q,average='macro'),M.matthews_corrcoef(t,q),M.accuracy_score(t,q))
# regression
yy=((i*29)%83)-10.; f=yy+((i*17)%31-14)/3
nz=yy!=0
print('mae',M.mean_absolute_error(yy,f),'rmse',M.root_mean_squared_error(yy,f),'mape',M.mean_absolute_percentage_error(yy[nz],f[nz]),'bias',(f-yy).mean(),'r2',M.r2_score(yy,f),'pin',M.mean_pinball_loss(yy,f,alpha=.9), 'zero',(~nz).sum())
from scipy import stats
print('mae ci',stats.t.interval(.95,n-1,loc=abs(f-yy).mean(),scale=stats.sem(abs(f-yy))))
# ranking: 30 queries of 8 results
nd=[];ap=[];rr=[];hit=[]
lr=[]
for qn in range(30):
    rel=np.array([((qn*7+j*j*3+j)%5%3) for j in range(8)],float)
    if rel.max()==0: continue
    sc=-np.arange(8.)
    nd.append(M.ndcg_score([rel],[sc],k=5))
    R=(rel>0)
    lr.append(M.label_ranking_average_precision_score([R],[sc]))
    h=np.flatnonzero(R)
    ap.append(sum((R[:j+1].sum()/(j+1)) for j in h if j<5)/min(R.sum(),5)); rr.append(1/(h[0]+1)); hit.append(h[0]<5)
print('q',len(nd),'ndcg5',np.mean(nd),'map5',np.mean(ap),'map8',np.mean(lr),'mrr',np.mean(rr),'hit',np.mean(hit))
print('t',[stats.t.ppf(.975,d) for d in (1,5,19,1000)],'normal',[stats.norm.ppf(p) for p in (.5,.975,.9999)],'binom',stats.binom.cdf(17,20,.95),stats.binom.cdf(3,50,.1))
for k,m in((0,10),(1,20),(37,150),(20,20)): print(k,m,stats.binomtest(k,m).proportion_ci(method='exact'))
print('top2',M.top_k_accuracy_score(t,np.array([[((a*7+c*c*5+3*c)%11)+ (a+c)%4*.01+(c==t[a])*2 for c in range(3)] for a in range(n)]),k=2))

def delta(f,m):
    m=np.array(m,float); n=m.sum(); g=np.zeros_like(m)
    for ix in np.ndindex(m.shape):
        h=1e-4; a=m.copy(); a[ix]+=h; b=m.copy(); b[ix]-=h; g[ix]=(f(a)-f(b))/2/h
    pm=m/n
    return np.sqrt(n*((g*g*pm).sum()-(g*pm).sum()**2))
def mcc(m):
    c=np.trace(m);s=m.sum();p=m.sum(0);t=m.sum(1)
    return (c*s-p@t)/np.sqrt((s*s-p@p)*(s*s-t@t))
C=M.confusion_matrix(y,p); K=M.confusion_matrix(t,q)
print('se mcc',delta(mcc,C),'multi',delta(mcc,K))
print('se macro p r f1',delta(lambda m:np.mean(np.diag(m)/m.sum(0)),K),delta(lambda m:np.mean(np.diag(m)/m.sum(1)),K),delta(lambda m:np.mean(2*np.diag(m)/(m.sum(0)+m.sum(1))),K), 'f1 binary', delta(lambda m:2*m[1,1]/(2*m[1,1]+m[0,1]+m[1,0]),C))
# jackknife for r2
idx=np.arange(n)
jk=np.array([M.r2_score(yy[idx!=k],f[idx!=k]) for k in idx]); print('r2 jack se',np.sqrt((n-1)/n*((jk-jk.mean())**2).sum()))

# ranking with weights: query q stands for 1 + q % 7
rels=[];ws=[]
for qn in range(30):
    rel=np.array([((qn*7+j*j*3+j)%5%3) for j in range(8)],float)
    if rel.max()>0: rels.append(rel); ws.append(1+qn%7)
R=np.array(rels); W=np.array(ws,float); S=np.tile(-np.arange(8.),(len(R),1))
each=np.array([M.ndcg_score([r],[s],k=5) for r,s in zip(R,S)])
m=np.average(each,weights=W); size=W.sum()**2/(W**2).sum()
sd=np.sqrt(np.average((each-m)**2,weights=W)*size/(size-1))
half=stats.t.ppf(.975,size-1)*sd/np.sqrt(size)
rr=np.array([1/(np.flatnonzero(r)[0]+1) for r in R])
print('weighted ndcg5',M.ndcg_score(R,S,k=5,sample_weight=W),m-half,m+half,'map8',M.label_ranking_average_precision_score(R>0,S,sample_weight=W),'mrr',np.average(rr,weights=W),'n',W.sum(),'size',size)

# scores of three classes, as probabilities
k=3
raw=np.array([[1+((a*(7+4*c)+c*c*5)%23)+8*(c==(a*a+a)%5%3) for c in range(k)] for a in range(n)],float)
f=raw/raw.sum(1,keepdims=True); y3=(np.arange(n)**2+np.arange(n))%5%3
Y=np.eye(k)[y3]
print('multi roc',M.roc_auc_score(y3,f,multi_class='ovr',average='macro'),M.roc_auc_score(y3,f,multi_class='ovr',average='weighted'))
print('multi pr',M.average_precision_score(Y,f,average='macro'),M.average_precision_score(Y,f,average='weighted'))
print('multi log',M.log_loss(y3,f),'brier',((f-Y)**2).sum(1).mean())
def ece(s,y):
    b=np.clip((s*10).astype(int),0,9)
    return sum(abs(s[b==j].mean()-y[b==j].mean())*(b==j).mean() for j in range(10) if (b==j).any())
print('multi ece',np.mean([ece(f[:,c],Y[:,c]) for c in range(k)]))
def auc(idx,average):
    return M.roc_auc_score(y3[idx],f[idx],multi_class='ovr',average=average)
for average in ('macro','weighted'):
    jack=np.array([auc(np.delete(np.arange(n),a),average) for a in range(n)])
    print('jackknife se',average,np.sqrt((n-1)/n*((jack-jack.mean())**2).sum()))
w3=1+np.arange(n)%4
print('multi roc with weights',M.roc_auc_score(y3,f,multi_class='ovr',average='macro',sample_weight=w3),'log',M.log_loss(y3,f,sample_weight=w3),'pr',M.average_precision_score(Y,f,average='macro',sample_weight=w3))
