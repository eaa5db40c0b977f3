"""How the pages look: plain CSS, light and dark as the reader's system is, readable on a phone."""

CSS = """
:root{color-scheme:light dark;--bg:#fff;--soft:#f6f8fa;--line:#d1d9e0;--text:#1f2328;--muted:#59636e;
--link:#0969da;--green:#1a7f37;--red:#d1242f;--purple:#8250df;--yellow:#9a6700;--blue:#0969da;--add:#dafbe1;
--del:#ffebe9}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--soft:#151b23;--line:#3d444d;--text:#f0f6fc;
--muted:#9198a1;--link:#4493f8;--green:#3fb950;--red:#f85149;--purple:#ab7df8;--yellow:#d29922;--blue:#4493f8;
--add:#12261e;--del:#25171c}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:14px/1.5 -apple-system,BlinkMacSystemFont,
"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif;overflow-wrap:anywhere}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
.top{padding:12px 16px;background:var(--soft);border-bottom:1px solid var(--line);display:flex;gap:16px;
flex-wrap:wrap}
main{max-width:980px;margin:0 auto;padding:16px}
h1{font-size:24px;font-weight:400;margin:0 0 8px}h1 .number{color:var(--muted);font-weight:300}
.head{border-bottom:1px solid var(--line);padding-bottom:12px;margin-bottom:16px}
.badge{display:inline-block;padding:3px 12px;border-radius:2em;color:#fff;font-weight:500;margin-right:8px}
.open,.success{--own:var(--green)}.merged{--own:var(--purple)}.closed,.failure{--own:var(--red)}
.draft,.neutral{--own:var(--muted)}.pending,.warning{--own:var(--yellow)}.notice{--own:var(--blue)}
.badge{background:var(--own)}
@media (prefers-color-scheme:dark){
.badge.open{--own:#238636}.badge.merged{--own:#8957e5}.badge.closed{--own:#da3633}.badge.draft{--own:#656c76}}
.mark{color:var(--own);font-weight:600;margin-right:6px}
.muted,time{color:var(--muted)}
.label{border:1px solid var(--line);background:var(--soft);border-radius:2em;padding:1px 8px;font-size:12px;
font-weight:500}
.box{border:1px solid var(--line);border-radius:6px;margin:16px 0;overflow:hidden}
.box>header{background:var(--soft);border-bottom:1px solid var(--line);padding:8px 16px}
.box>.row{padding:8px 16px;border-top:1px solid var(--line)}.box>header+.row{border-top:0}
.event{margin:12px 0 12px 16px;padding-left:12px;border-left:2px solid var(--line);color:var(--muted)}
.event strong{color:var(--text)}
.event.strong{border-left-color:var(--own)}
.markdown{padding:16px}.markdown>:first-child{margin-top:0}.markdown>:last-child{margin-bottom:0}
.markdown h1,.markdown h2{font-weight:600;border-bottom:1px solid var(--line);padding-bottom:.3em}
.markdown h1{font-size:2em}.markdown h2{font-size:1.5em}.markdown h3{font-size:1.25em}
.markdown table,.markdown details,.markdown p,.markdown ul,.markdown ol,.markdown pre{margin:0 0 16px}
.markdown li p{margin:8px 0}.markdown details summary{padding:2px 0}
.markdown details>*:not(summary){margin-top:8px}
.markdown table{border-collapse:collapse;display:block;max-width:100%;overflow-x:auto;width:max-content;
overflow-wrap:normal}
.markdown th,.markdown td{border:1px solid var(--line);padding:6px 13px}
.markdown tr:nth-child(2n){background:var(--soft)}
code,pre,kbd{font:12px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
code{background:var(--soft);border-radius:6px;padding:.2em .4em}
pre{background:var(--soft);border-radius:6px;padding:16px;overflow:auto;overflow-wrap:normal}
pre code{background:none;padding:0}
pre .added{background:var(--add);display:block}pre .removed{background:var(--del);display:block}
pre .changed{color:var(--yellow);display:block}
kbd{border:1px solid var(--line);border-radius:6px;padding:2px 5px}
summary{cursor:pointer}
blockquote{margin:0 0 16px;padding:0 1em;border-left:.25em solid var(--line);color:var(--muted)}
.alert{color:inherit;border-left-color:var(--own)}.alert-title{color:var(--own)}
.alert-note{--own:var(--blue)}.alert-tip{--own:var(--green)}.alert-important{--own:var(--purple)}
.alert-warning{--own:var(--yellow)}.alert-caution{--own:var(--red)}
.mention{font-weight:600;color:var(--text)}
.reactions span{border:1px solid var(--line);border-radius:2em;padding:1px 8px;margin-right:6px}
.markdown li:has(>input),.markdown li:has(>p>input){list-style:none}
ul.list{list-style:none;padding:0;margin:0}
@media (max-width:600px){main{padding:10px}h1{font-size:20px}.markdown{padding:12px}.event{margin-left:4px}
.box>header,.box>.row{padding:8px 12px}.markdown th,.markdown td{padding:4px 8px}pre{padding:10px}}
"""
