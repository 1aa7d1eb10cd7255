"""The one place that knows how real exports call the contract's tables, columns and words."""

import difflib
import re
from types import MappingProxyType

from ..tables import EVALUATIONS, INPUTS

# Table, as a file or sheet may be called.
TABLES = MappingProxyType(
    {
        "employees": "员工 员工表 员工名单 人员 人员名单 花名册",
        "assignments": "任职 任职记录 调动 岗位变动",
        "results": "指标结果 指标 业绩 业绩数据 考核结果 kpi kpis kpi_results",
        "ratings": "评分 评分表 评价 考核评分",
        "milestones": "里程碑 项目里程碑",
        "events": "事件 奖惩 加减分",
        "pay": "薪酬 奖金 奖金基数",
        "groups": "群体 分组 群体属性",
        "exclusions": "排除 不参评 不参与考核",
    }
)

# Column, as a header may be called, in every table that has the column.
COLUMNS = MappingProxyType(
    {
        "employee_id": "工号 员工编号 员工号 员工工号 员工id 人员编号 被考核人 被考核人工号 被评人 被评人工号 "
        "employee emp_id emp_no staff_id",
        "name": "姓名 员工姓名 名字 employee_name full_name",
        "unit": "部门 单元 所属部门 区域 大区 组织 组织单元 department team org_unit",
        "profile": "岗位 职位 岗位名称 职务 岗位类型 position job_profile",
        "manager_id": "直属上级 直属上级工号 直接上级 直接上级工号 上级 上级工号 主管 主管工号 经理工号 "
        "manager supervisor supervisor_id",
        "level": "职级 级别 层级 job_level",
        "level_since": "现职级起始日期 职级日期 任职日期 任现职日期",
        "hire_date": "入职日期 入职时间 入司日期 hired_on start_date",
        "score": "得分 分数 总分 年度得分 年度评估得分 annual_score",
        "status": "状态 在职状态 数据状态 员工状态 结果状态",
        "scorecard": "计分卡 考核卡 记分卡 score_card",
        "from": "开始日期 起始日期 生效日期 valid_from",
        "to": "结束日期 截止日期 终止日期 valid_to",
        "kpi": "指标 指标名称 指标编号 指标代码 考核指标 考核项 考核项目 kpi_id kpi名称 indicator",
        "target": "目标 目标值 指标值 考核目标 本期目标 target_value",
        "actual": "实际 实际值 完成值 实际完成 实际完成值 完成情况 本期实际 actual_value",
        "threshold": "门槛值 门槛 底线值 最低值",
        "stretch": "挑战值 挑战目标 卓越值",
        "basis": "口径 统计口径 数据口径",
        "target_original": "原目标 原目标值 调整前目标",
        "changed_on": "变更日期 目标调整日期 调整日期",
        "approved_by": "审批人 批准人 审批人工号",
        "source": "来源 数据来源 data_source",
        "note": "备注 说明 remark remarks",
        "rater_id": "评分人 考核人 评分人工号 考核人工号 评价人 评价人工号 rater reviewer reviewer_id",
        "role": "角色 评分角色 评价关系 考核关系 rater_role",
        "rating": "评分 得分 评价分 考核得分 rating_value",
        "submitted_on": "提交日期 评分日期 提交时间 评价日期",
        "blind": "盲评 是否盲评",
        "comment": "评语 书面评价 评价说明 评价内容 comments",
        "milestone": "里程碑 里程碑编号 里程碑名称 节点",
        "weight": "权重 比重 占比",
        "due": "到期日 计划完成日期 应完成日期 due_date",
        "accepted_on": "验收日期 实际完成日期 完成日期",
        "share_done": "完成比例 完成率 完成度 验收比例",
        "code": "代码 事件代码 编码 event_code",
        "kind": "类别 类型 事件类型",
        "points": "分值 加减分 分数",
        "evidence": "依据 证据 事实依据",
        "bonus_target": "奖金基数 目标奖金 绩效奖金基数 target_bonus",
        "currency": "币种 货币",
        "eligible": "是否享有 是否参与 有资格 是否发放",
        "attribute": "属性 特征",
        "value": "值 取值 属性值",
        "reason": "原因 理由 排除原因",
    }
)

# Columns of wide exports: one row a KPI with its ratings beside it. Header -> role of the rater.
WIDE = MappingProxyType(
    {
        "self": "自评分 自评 自评得分 self_rating",
        "manager": "上级评分 上级评 直属上级评分 主管评分 领导评分 考核人评分 manager_rating supervisor_rating",
    }
)

# Columns often exported that the scheme, not the data, decides; said so where they are met.
ELSEWHERE = MappingProxyType(
    {
        "权重 比重 weight": "weights come from scheme.yaml",
        "等级 考核等级 grade": "grades are derived from the scores, never typed",
        "达成率 完成率 attainment": "attainment is computed from target and actual",
        "得分 加权得分 score": "scores are computed from the results",
    }
)

# Words of fixed lists (status, basis, kind).
WORDS = MappingProxyType(
    {
        "active": "在职 在岗",
        "leave": "休假 长假 请假",
        "left": "离职 已离职",
        "final": "已定 定稿 最终 已确认",
        "late": "迟报 未报 逾期",
        "not_due": "未到期 未到考核期",
        "not_applicable": "不适用",
        "quarter": "季度 当季 本季",
        "ytd": "年累计 累计 年初至今",
        "gate": "红线 一票否决 门槛",
        "bonus": "加分 奖励",
        "deduction": "扣分 减分",
    }
)


def _plain(text: str) -> str:
    """A header as compared: case, spaces, hyphens and marks of a required field do not matter."""
    bare = text.translate({0xFF08: "(", 0xFF09: ")", 0x3000: " ", 0xFEFF: None}).strip().casefold()
    bare = re.sub(r"[*＊]|\((?:必填|required)\)", "", bare).strip()
    return re.sub(r"[\s\-]+", "_", bare)


def _inverse(mapping) -> dict[str, str]:
    return {_plain(word): name for name, words in mapping.items() for word in words.split()}


_TABLE_OF, _WORD_OF, _ROLE_OF = _inverse(TABLES), _inverse(WORDS), _inverse(WIDE)
_ELSEWHERE = {_plain(word): why for words, why in ELSEWHERE.items() for word in words.split()}
_COLUMN_OF = {
    table.name: {
        **{_plain(word): c.name for c in table.columns for word in COLUMNS[c.name].split()},
        **{c.name: c.name for c in table.columns},
    }
    for table in (*INPUTS.values(), EVALUATIONS)
}


def table_of(name: str) -> str:
    """The contract's table that a file or sheet of this name holds; empty for none."""
    plain = _plain(name)
    return plain if plain in INPUTS else _TABLE_OF.get(plain, "")


def column_of(table: str, header: str) -> str:
    """The contract's column that ``header`` stands for in ``table``; empty for none."""
    return _COLUMN_OF[table].get(_plain(header), "")


def role_of(header: str) -> str:
    """The rater's role that a rating column of a wide export belongs to; empty for none."""
    return _ROLE_OF.get(_plain(header), "")


def word_of(text: str) -> str:
    """The contract's word for a status, basis or kind; the text itself where it is not known."""
    plain = _plain(text)
    return _WORD_OF.get(plain, plain)


def near(table: str, header: str) -> str:
    """The column that ``header`` looks like a slip of; empty for none."""
    known = _COLUMN_OF[table]
    found = difflib.get_close_matches(_plain(header), known, 1, cutoff=0.75)
    return known[found[0]] if found else ""


def elsewhere(header: str) -> str:
    """Why a well-known column is not read from data; empty for columns that are simply unknown."""
    return _ELSEWHERE.get(_plain(header), "")
