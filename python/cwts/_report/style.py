"""The page's style sheet: one column of cards, light and dark by the reader's own setting.

Numerals are tabular, so that digits stand under digits. Colours of series keep their order in
both schemes; green, amber and red mean a verdict only and never stand without a word.
"""

from __future__ import annotations

from typing import Final

_LIGHT: Final = (
    "--page:#f6f7f9;--card:#fff;--ink:#14181f;--soft:#5a6473;--edge:#e2e6ec;--rule:#e8ebf0;"
    "--tint:#f2f4f7;--accepted:#aebccd;--c1:#2a78d6;--c2:#eb6834;--c3:#1baf7a;--c4:#eda100;"
    "--c5:#4a3aa7;--c6:#e87ba4;--rest:#8a94a3;--good:#0a7d2c;--good-bg:#e6f5ea;"
    "--warn:#8a5a00;--warn-bg:#fdf3dc;--bad:#b3261e;--bad-bg:#fdeae8;--limit:#b3261e;"
)
_DARK: Final = (
    "--page:#0f1216;--card:#171b21;--ink:#e8ebf0;--soft:#9aa5b4;--edge:#2a313b;--rule:#262d36;"
    "--tint:#1e242c;--accepted:#566375;--c1:#4c96ea;--c2:#e0733f;--c3:#23a97a;--c4:#d19a1c;"
    "--c5:#9085e9;--c6:#d9709b;--rest:#7d8796;--good:#5fd07f;--good-bg:#12291a;"
    "--warn:#f0bd55;--warn-bg:#2d2412;--bad:#ff8a80;--bad-bg:#341917;--limit:#ff8a80;"
)

SHEET: Final = (
    ":root{color-scheme:light dark;" + _LIGHT + "}"
    "@media(prefers-color-scheme:dark){:root{" + _DARK + "}}"
    """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,
"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums;
-webkit-text-size-adjust:100%}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 20px}
header{padding-top:32px}
h1{font-size:15px;font-weight:600;margin:0;letter-spacing:.01em}
h1 span{color:var(--soft);font-weight:400}
h2{font-size:19px;line-height:1.3;margin:0 0 4px;letter-spacing:-.01em}
h3{font-size:14px;margin:20px 0 6px}
p{margin:0 0 10px;max-width:76ch}
.lead,.empty{color:var(--soft)}
.lead{margin-bottom:14px}
nav{margin:14px 0 0;font-size:13px;display:flex;flex-wrap:wrap;gap:4px 16px}
a{color:inherit;text-decoration-color:var(--rest);text-underline-offset:3px}
section{background:var(--card);border:1px solid var(--edge);border-radius:10px;
padding:22px 24px;margin:18px 0}
.verdict{border-left:6px solid var(--tone);background:var(--tone-bg);padding:20px 24px;
border-radius:10px;margin:18px 0}
.verdict h2{font-size:25px;color:var(--tone)}
.verdict p{font-size:16px}
.good{--tone:var(--good);--tone-bg:var(--good-bg)}
.warn{--tone:var(--warn);--tone-bg:var(--warn-bg)}
.bad{--tone:var(--bad);--tone-bg:var(--bad-bg)}
.info{--tone:var(--soft);--tone-bg:var(--tint)}
.checks{list-style:none;margin:12px 0 0;padding:0;font-size:14px}
.checks li{display:grid;grid-template-columns:5.6em 1fr;gap:10px;padding:3px 0}
.checks b{color:var(--tone);font-weight:600}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:18px 0}
.tile{background:var(--card);border:1px solid var(--edge);border-radius:10px;padding:12px 16px}
.tile dt{color:var(--soft);font-size:13px}
.tile dd{margin:2px 0 0;font-size:24px;line-height:1.25;font-weight:600;letter-spacing:-.01em}
.tile small{display:block;font-size:13px;font-weight:400;color:var(--soft);letter-spacing:0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
caption{caption-side:bottom;text-align:left;color:var(--soft);font-size:13px;padding-top:8px}
th{font-weight:600;font-size:12.5px;color:var(--soft);text-align:left;vertical-align:bottom;
white-space:nowrap;padding:6px 12px 6px 0;border-bottom:1px solid var(--edge)}
td{padding:6px 12px 6px 0;border-bottom:1px solid var(--rule);vertical-align:top}
th:last-child,td:last-child{padding-right:0}
tr:last-child td{border-bottom:0}
.n{text-align:right;white-space:nowrap}
.w{overflow-wrap:anywhere;min-width:5em}
.nb{white-space:nowrap}
th.b,td.b{padding-left:14px}td.b{width:30%;min-width:110px;vertical-align:middle}
figure+.scroll{margin-top:22px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));
gap:6px 28px;margin-bottom:14px}
.pair .box{height:130px}
code,pre,.h{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.h{overflow-wrap:anywhere}
pre{background:var(--tint);border:1px solid var(--edge);border-radius:6px;padding:10px 12px;
margin:6px 0 12px;white-space:pre-wrap;overflow-wrap:anywhere}
.tag{display:inline-block;border:1px solid var(--edge);background:var(--tint);border-radius:4px;
padding:0 6px;margin:1px 4px 1px 0;font-size:12.5px;white-space:nowrap}
.tone{color:var(--tone);font-weight:600;white-space:nowrap}
.why td{color:var(--soft);padding-top:0}
.has-why td{border-bottom:0}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:0;font-size:14px}
dl.facts dt{color:var(--soft)}
dl.facts dd{margin:0;min-width:0}
ul.plain{margin:0;padding-left:1.2em}
ul.plain li{margin:3px 0;overflow-wrap:anywhere;max-width:90ch}
.bar{display:block;width:100%;height:12px}
.track{fill:var(--tint)}
.outer{fill:var(--c1);fill-opacity:.35}
.inner{fill:var(--c1)}
.outer.bad,.inner.bad{fill:var(--bad)}
.outer.warn,.inner.warn{fill:var(--c4)}
figure{margin:18px 0 0}
.head{display:flex;flex-wrap:wrap;justify-content:space-between;gap:4px 20px;font-size:13px;
color:var(--soft);margin-bottom:10px}
.grid{display:grid;grid-template-columns:58px minmax(0,1fr);column-gap:8px}
.box{position:relative;height:200px}
.box svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
.y{position:relative}
.y span{position:absolute;right:0;transform:translateY(50%);font-size:12px;color:var(--soft);
white-space:nowrap;line-height:1}
.x{grid-column:2;position:relative;height:20px;margin-top:6px;font-size:12px;color:var(--soft)}
.x span{position:absolute;white-space:nowrap}
.mid{transform:translateX(-50%)}
.to{transform:translateX(-100%)}
.x-title{font-size:12px;color:var(--soft);text-align:center;padding-left:66px}
.rule{stroke:var(--rule);fill:none;stroke-width:1;vector-effect:non-scaling-stroke}
.faint{stroke-dasharray:2 4}
.line{fill:none;stroke-width:1.5;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.limit{fill:none;stroke:var(--limit);stroke-width:1.5;stroke-dasharray:7 4;
vector-effect:non-scaling-stroke}
.mark{fill:none;stroke:var(--ink);stroke-width:1;stroke-dasharray:3 3;
vector-effect:non-scaling-stroke}
.tips rect{fill:transparent}
.tips rect:hover{fill:var(--ink);fill-opacity:.08}
.fill.accepted,.legend .accepted{fill:var(--accepted);background:var(--accepted)}
.fill.rejected,.legend .rejected{fill:var(--bad);background:var(--bad)}
"""
    + "".join(
        f".fill.{name},.legend .{name}{{fill:var(--{name});background:var(--{name})}}"
        f".line.{name}{{stroke:var(--{name})}}"
        f".area.{name}{{fill:var(--{name});fill-opacity:.12}}"
        f".band.{name}{{fill:var(--{name});fill-opacity:.35}}"
        for name in ("c1", "c2", "c3", "c4", "c5", "c6", "rest")
    )
    + """
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 16px;margin:0;padding:0}
.legend i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:6px;
vertical-align:-1px}
.legend .limit{height:0;border-top:2px dashed var(--limit);border-radius:0;width:18px;
vertical-align:3px}
.note{position:absolute;font-size:12px;line-height:1.2;white-space:nowrap;padding:1px 5px;
margin-bottom:4px;background:var(--card);border-radius:3px;pointer-events:none}
.note.under{margin-bottom:-22px}
.note.limit-word{color:var(--limit);font-weight:600}
.dot{position:absolute;width:9px;height:9px;margin:0 0 -4.5px -4.5px;border-radius:50%;
background:var(--ink);border:2px solid var(--card);pointer-events:none}
footer{color:var(--soft);font-size:13px;padding-bottom:40px}
@media(max-width:700px){
main,header,footer{padding:0 12px}
header{padding-top:18px}
section,.verdict{padding:16px}
.verdict h2{font-size:21px}
.checks li{grid-template-columns:1fr;gap:0}
.tiles{grid-template-columns:1fr 1fr;gap:8px}
.tile dd{font-size:20px}
.grid{grid-template-columns:44px minmax(0,1fr);column-gap:6px}
.x-title{padding-left:50px}
.x .alt{display:none}
dl.facts{grid-template-columns:1fr;gap:0}
dl.facts dd{margin-bottom:8px}
table.cards{display:flex;flex-direction:column}
table.cards tbody{display:block}
table.cards thead{display:none}
table.cards caption{display:block;order:1}
table.cards tr{display:grid;grid-template-columns:1fr 1fr;gap:2px 14px;padding:8px 0;
border-bottom:1px solid var(--rule)}
table.cards tr.has-why{border-bottom:0;padding-bottom:0}
table.cards tr.why{display:block;padding-top:2px}
table.cards td{display:block;border:0;padding:1px 0;text-align:left;white-space:normal;
min-width:0;overflow-wrap:anywhere}
table.cards td[data-l]::before{content:attr(data-l);display:block;color:var(--soft);font-size:12px}
table.cards td.b,table.cards td.all{width:auto;padding-left:0;grid-column:1/-1}
}
@media print{
:root{color-scheme:light;"""
    + _LIGHT
    + """--page:#fff}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
body{font-size:11pt}
main,header,footer{max-width:none;padding:0}
section{border:0;border-top:1px solid var(--edge);border-radius:0;padding:12pt 0;margin:0}
nav{display:none}
.scroll{overflow:visible}
table{font-size:8.5pt}
th{font-size:8pt;white-space:normal}
th,td{padding-right:8px}
td.b{width:16%;min-width:60px}
.tag{font-size:7.5pt;white-space:normal;overflow-wrap:anywhere}
code,pre,.h{font-size:8.5pt}
.tiles{grid-template-columns:repeat(6,1fr);gap:6px}
.tile{padding:8px 10px}
.tile dd{font-size:14pt}
.lead,.has-why{break-after:avoid}
figure,.verdict,.tile,tr{break-inside:avoid}
h2,h3{break-after:avoid}
thead{display:table-header-group}
}
@page{margin:15mm}
"""
).replace("\n", "")
